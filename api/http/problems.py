"""Every error leaves as application/problem+json (RFC 9457), and nothing internal with it."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from api.auth.jwks import KeysUnavailable
from api.errors import ApiError, Conflicting, Missing, Unavailable, Unprocessable
from models.db.session import is_passing
from models.errors import Conflict, IllegalTransition, Invalid, NotFound, Refused

MEDIA_TYPE = "application/problem+json"
_ENTITY = {404: "not_found", 405: "method_not_allowed", 400: "bad_request"}
log = structlog.get_logger()


def install(app: FastAPI) -> None:
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(KeysUnavailable, _keys)


def of_failure(error: Exception) -> ApiError:
    """What no handler knows, as an answer that says nothing of it: the log does.

    The database away, restarted, or this transaction a deadlock's victim: the same request may come again.
    """
    if is_passing(error):
        log.warning("request.database_away", error=type(error).__name__)
        return Unavailable("The database can't be reached.", code="database_unavailable", headers={"Retry-After": "1"})
    log.error("request.failed", error=type(error).__name__, exc_info=error)
    return ApiError()


def problem(error: ApiError, *, path: str, request_id: str) -> Response:
    content = {
        "type": f"urn:helpdesk:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail or error.title,
        "instance": path,
        "code": error.code,
        "requestId": request_id,
        **error.more,
    }
    return Response(to_json(content), error.status, headers=error.headers, media_type=MEDIA_TYPE)


def translate(error: Refused) -> ApiError:
    """An operation's refusal as an answer."""
    if isinstance(error, NotFound):
        return Missing(error.detail)
    if isinstance(error, IllegalTransition):
        return Conflicting(error.detail, code=error.code, allowedTransitions=list(error.allowed))
    if isinstance(error, Invalid):
        return Unprocessable(error.detail, errors=[{"pointer": error.pointer, "code": error.code, "detail": error.detail}])
    assert isinstance(error, Conflict)  # noqa: S101 - the tree has no other leaf; a test walks it
    return Conflicting(error.detail, code=error.code)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101
    return _answer(request, error)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101
    return _answer(request, translate(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return _answer(request, Unprocessable(errors=explain(error.errors())))


def explain(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Each thing that is wrong, by its JSON pointer in the body, or by its name in query and path; never with the value."""
    return [{"pointer": _pointer(each["loc"]), "code": each["type"], "detail": each["msg"]} for each in errors]


def _pointer(location: Sequence[str | int]) -> str:
    """RFC 6901: empty for the whole body. A key that is wrong is its own place: pydantic marks it."""
    place, *parts = (part for part in location if part != "[key]")
    return "".join(f"/{_escaped(part)}" for part in (parts if place == "body" else (place, *parts)))


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = ApiError(str(error.detail), code=_ENTITY.get(error.status_code, "http_error"), headers=dict(error.headers or {}))
    known.status, known.title = error.status_code, str(error.detail)
    return _answer(request, known)


async def _keys(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeysUnavailable)  # noqa: S101
    wait = {"Retry-After": str(error.retry_after_seconds)}
    return _answer(request, Unavailable("The identity service can't be reached.", code="identity_unavailable", headers=wait))


def _answer(request: Request, error: ApiError) -> Response:
    return problem(error, path=request.url.path, request_id=request.scope.get("request_id", ""))
