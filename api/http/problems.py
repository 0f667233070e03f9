"""Every error leaves as application/problem+json (RFC 9457), and nothing internal with it."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from models.db.failures import is_full, is_passing
from models.errors import MAX_LISTED, BadRequest, HelpdeskError, Invalid, NotFound, PreconditionRequired, TooLarge, Unavailable

MEDIA_TYPE = "application/problem+json"
MAX_BODY = 1024 * 1024
"""Bytes of a body with long texts or a whole definition; counted by FastAPI."""
SMALL_BODY = 64 * 1024
"""Bytes of any other body: 4,000 characters fit in, however they are escaped."""
CLOSE = {"Connection": "close"}
"""Of a body that is refused the rest is not read."""
_NO_METHOD = 405
_CODES = {400: BadRequest.code}
_BUSY = "The service is busy: send the same request again after Retry-After seconds, or ask for less at once."
_AWAY = "The database can't be reached: send the same request again after Retry-After seconds."
_NO_SUCH = "There is no such field or parameter: leave it out, or correct its name. /docs lists those that there are."
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
log = structlog.get_logger()


def install(app: FastAPI) -> None:
    app.add_exception_handler(HelpdeskError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _frameworks)
    app.add_exception_handler(ClientDisconnect, _silence)


def of_failure(error: Exception) -> HelpdeskError:
    """What no handler knows, as a response that says nothing of it: the log does.

    The database away, restarted or too slow, or this transaction a deadlock's victim: the same request may come again.
    """
    if is_full(error):
        log.warning("request.database_busy", error=type(error).__name__)
        return Unavailable(_BUSY, code="busy", headers={"Retry-After": "1"})
    if is_passing(error):
        log.warning("request.database_away", error=type(error).__name__)
        return Unavailable(_AWAY, code="database_unavailable", headers={"Retry-After": "1"})
    log.error("request.failed", error=type(error).__name__, exc_info=error)
    return HelpdeskError()


def problem(error: HelpdeskError, *, path: str, request_id: str) -> Response:
    content = {
        "type": f"urn:helpdesk:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail or error.title,
        "instance": path,
        "code": error.code,
        "requestId": request_id,
        **error.members,
    }
    return Response(to_json(content), error.status, headers=error.headers, media_type=MEDIA_TYPE)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, HelpdeskError)  # noqa: S101
    return _respond(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = error.errors()
    if any(each["loc"] == ("header", "If-Match") for each in errors):
        return _respond(request, PreconditionRequired('Send the ETag of what you saw, with its quotes: If-Match: "7".'))
    return _respond(request, Invalid.of(explain(errors[:MAX_LISTED]), omitted=len(errors[MAX_LISTED:])))


async def _silence(_request: Request, _error: Exception) -> Response:
    return _Silence()


class _Silence(Response):
    """The client went away before the request was whole: half a request is none, and nobody waits for a response."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass


def explain(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Each thing that is wrong, by its JSON pointer in the body, or by its name in query and path; never with the value."""
    return [{"pointer": _pointer(each["loc"]), "code": each["type"], "detail": _detail(each)} for each in errors]


def _detail(error: Any) -> str:
    return _NO_SUCH if error["msg"] == "Extra inputs are not permitted" else str(error["msg"])


def _pointer(location: Sequence[str | int]) -> str:
    """RFC 6901: empty for the whole body. A key that is wrong is its own place: pydantic marks it."""
    place, *parts = (part for part in location if part != "[key]")
    return "".join(f"/{_escaped(part)}" for part in (parts if place == "body" else (place, *parts)))


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


async def _frameworks(request: Request, error: Exception) -> Response:
    """No such path, no such method, a body without an end."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for it
    if error.status_code == TooLarge.status:
        limit = getattr(request.scope.get("route"), "max_body_size", None) or MAX_BODY
        return _respond(request, too_large(limit))
    if error.status_code == NotFound.status:
        return _respond(request, NotFound("path: /docs lists those that there are"))
    if error.status_code == _NO_METHOD:
        return _respond(request, _no_such_method(request))
    known = HelpdeskError(str(error.detail), code=_CODES.get(error.status_code, "http_error"), headers=error.headers)
    known.status, known.title = error.status_code, str(error.detail)
    return _respond(request, known)


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body has more than the {limit} bytes that are read here: send less at once.", headers=CLOSE)


def _no_such_method(request: Request) -> HelpdeskError:
    """The framework names the methods of the first route of the path only."""
    routes, scope = request.app.routes, request.scope
    allowed = ", ".join(each for each in _METHODS if any(route.matches({**scope, "method": each})[0] is Match.FULL for route in routes))
    known = HelpdeskError(
        f"{request.method} is not possible here. What is: {allowed}.", code="method_not_allowed", headers={"Allow": allowed}
    )
    known.status, known.title = _NO_METHOD, "Method Not Allowed"
    return known


def _respond(request: Request, error: HelpdeskError) -> Response:
    request.scope.setdefault("refused_for", error.code)
    return problem(error, path=request.url.path, request_id=request.scope.get("request_id", ""))
