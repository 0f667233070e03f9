"""The document of the API, and /docs for a person: Swagger UI, whose script and style come from here.

No other server is asked for anything, and no response is made anew for each who asks: none of them shows a token.
"""

from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request, Response
from pydantic_core import to_json
from starlette.staticfiles import StaticFiles

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Helpdesk API</title>
<link rel="stylesheet" href="/docs/parts/swagger-ui.css"><div id="swagger-ui"></div>
<script src="/docs/parts/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>"""
_START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true})'
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}


def install(app: FastAPI) -> None:
    app.add_api_route("/openapi.json", _document, include_in_schema=False)
    app.add_api_route("/docs", _page, include_in_schema=False)
    app.add_api_route("/docs/start.js", _start, include_in_schema=False)
    app.mount("/docs/parts", StaticFiles(directory=str(files("fastapi_offline") / "static")))


def prepare(app: FastAPI) -> None:
    """Write the document, once all routes are there: half a second in which a process that serves would do nothing else."""
    app.state.document = to_json(app.openapi())


async def _document(request: Request) -> Response:
    if getattr(request.app.state, "document", None) is None:
        prepare(request.app)
    return Response(request.app.state.document, media_type="application/json")


async def _page() -> Response:
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


async def _start() -> Response:
    """No inline script: the page's policy allows none."""
    return Response(_START, media_type="text/javascript")
