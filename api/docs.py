"""The document of the API, and /docs for a person: Swagger UI, whose script and style come from here.

No other server is asked for anything, and no response is made anew for each who asks: none of them shows a token.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Response
from starlette.staticfiles import StaticFiles

_DOCUMENT: Final = Path(__file__).with_name("openapi.json").read_bytes()
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


async def _document() -> Response:
    """The file that was announced: to make it takes a second of processor time, and nobody needs a token to ask for it."""
    return Response(_DOCUMENT, media_type="application/json")


async def _page() -> Response:
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


async def _start() -> Response:
    """No inline script: the page's policy allows none."""
    return Response(_START, media_type="text/javascript")
