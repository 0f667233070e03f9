"""Pages for people: HTML without script, with nothing from elsewhere, to be kept by no cache. What people wrote is escaped."""

from base64 import b64encode
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.http.problems import CLOSE, MAX_BODY, of_failure
from models.errors import HelpdeskError, NotFound, TooLarge

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["instant"] = lambda at: f"{_in_utc(at):%d %B %Y, %H:%M} UTC".removeprefix("0")
_STYLE: Final = b64encode(sha256(_TEMPLATES.get_template("style.css").render().encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_TRY_AGAIN = "Please try again in a moment."
_LOOK_AGAIN = "Please check that the link is whole. The newest e-mail about your request has the newest link."


def page(template: str, status: int = 200, /, **content: Any) -> Response:
    return Response(_TEMPLATES.get_template(template).render(content), status, headers=HEADERS, media_type="text/html")


def _in_utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


class PageRoute(APIRoute):
    """A public route whose refusals are a page for a browser (``Accept`` names ``text/html``), and a problem for a program."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        call = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await call(request)
            except Exception as error:
                if not self.is_for_people(request) or isinstance(error, ClientDisconnect):
                    raise
                known = _known(error)
                request.scope.setdefault("refused_for", known.code)
                return self.refuse(request, known)

        return handle

    def is_for_people(self, request: Request) -> bool:
        return wants_page(request)

    def refuse(self, _request: Request, error: HelpdeskError) -> Response:
        advice = _TRY_AGAIN if error.status >= 500 else _LOOK_AGAIN if error.status == NotFound.status else ""
        said = {"title": error.title, "detail": error.detail, "flaws": error.members.get("errors", ()), "advice": advice}
        refused = page("refused.html", error.status, **said)
        refused.headers.update(error.headers)
        return refused


def wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _known(error: Exception) -> HelpdeskError:
    """What was refused; a path that no link of ours has is not there."""
    if isinstance(error, HelpdeskError):
        return error
    if isinstance(error, RequestValidationError):
        return NotFound("page")
    if isinstance(error, HTTPException) and error.status_code == TooLarge.status:
        return TooLarge(f"The body has more than {MAX_BODY} bytes.", headers=CLOSE)
    return of_failure(error)
