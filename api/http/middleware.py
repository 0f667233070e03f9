"""The outermost layer: an id for every request, a bounded body, one line of log for every answer."""

import asyncio
import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import strict_json
from api.http.problems import of_failure, problem
from models.errors import BadRequest, HelpdeskError, TooLarge, UnsupportedMedia

MAX_BODY = 1024 * 1024
BODY_SECONDS = 20
GONE = 499
"""In the log only: the client did not wait for an answer."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
log = structlog.get_logger()


class _Gone(Exception):
    """The client went away before his request was whole."""


class _Answer:
    """The way out: every answer carries the request's id. ``status`` is None as long as there is no answer."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-Id"] = self._request_id
        await self._send(message)


class Edge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        started, respond = time.perf_counter(), _Answer(send, request_id)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._serve(scope, headers, receive, respond)
            finally:
                _note(scope, respond.status or GONE, time.perf_counter() - started)

    async def _serve(self, scope: Scope, headers: Headers, receive: Receive, respond: _Answer) -> None:
        try:
            if scope["method"] in _WITH_BODY:
                receive = await _bounded(headers, receive)
            await self._app(scope, receive, respond)
        except _Gone:
            return  # half a request is none: the app does not see it, and nobody is there to be answered
        except HelpdeskError as error:  # the body's: the app answers its own
            await _refuse(error, scope, receive, respond)
        except Exception as error:
            failure = of_failure(error)
            if respond.status is not None:
                raise  # in the midst of an answer: the server cuts it off
            await problem(failure, path=scope["path"], request_id=scope["request_id"])(scope, receive, respond)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", None)
    about = {"merchant_id": scope.get("merchant_id"), "ticket_id": scope.get("path_params", {}).get("ticket_id")}
    log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1), **about)


async def _refuse(error: HelpdeskError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem(error, path=scope["path"], request_id=scope["request_id"])
    response.headers["Connection"] = "close"  # what the client still sends is not read
    await response(scope, receive, send)


async def _bounded(headers: Headers, receive: Receive) -> Receive:
    """Read the whole body, within its bounds, and hand it on."""
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMedia("A compressed body is not supported.")
    if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > MAX_BODY:
        raise TooLarge(f"The body has more than {MAX_BODY} bytes.")
    try:
        body = await asyncio.wait_for(_read(receive), BODY_SECONDS)
    except TimeoutError:
        raise BadRequest(f"The body did not arrive within {BODY_SECONDS} seconds.", code="body_timeout") from None
    if body and "json" in headers.get("content-type", "").lower():
        strict_json.check(body)
    return _replay(body, receive)


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise TooLarge(f"The body has more than {MAX_BODY} bytes.")
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replayed() -> Message:
        return next(messages, None) or await receive()

    return replayed
