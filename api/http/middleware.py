"""The outermost layer: an id for every request, what is too large refused, one line of log for every response."""

import re
import secrets
import time

import structlog
from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.body import WITH_BODY, max_bytes
from api.http.problems import CLOSE, of_failure, problem, too_large
from api.http.refusals import REFUSED, Refusals
from models.errors import HelpdeskError, UnsupportedMedia
from models.platform.metrics import REQUEST_SECONDS, REQUESTS

GONE = 499
"""In the log only: the client did not wait for a response."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CREATED = re.compile(r".*/tickets/([0-9]{1,19})", re.ASCII)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
log = structlog.get_logger()


class _Outgoing:
    """The way out: every response carries the request's id, and is what it says it is. ``status`` is None as long as there is none.

    No cache keeps what one caller may see, unless the response says otherwise. ``created_ticket`` is the id of a ticket that was opened.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None
        self.created_ticket: str | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            created = _CREATED.fullmatch(headers.get("Location", ""))
            self.created_ticket = created[1] if created else None
            headers["X-Request-Id"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


class Edge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        trace.get_current_span().set_attribute("helpdesk.request_id", request_id)
        started, outgoing = time.perf_counter(), _Outgoing(send, request_id)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._serve(scope, headers, receive, outgoing)
            finally:
                seconds, status = time.perf_counter() - started, outgoing.status or GONE
                _count(scope, status, seconds)
                self._log(scope, outgoing, seconds)

    def _log(self, scope: Scope, outgoing: _Outgoing, seconds: float) -> None:
        status = outgoing.status or GONE
        route = getattr(scope.get("route"), "path", None)
        named, made = _id(scope.get("path_params", {}).get("ticket_id", "")), outgoing.created_ticket
        ids = {"merchant_id": scope.get("merchant_id"), "ticket_id": named or made}
        if named and made:
            ids["follow_up_id"] = made
        about = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1), **ids}
        if status in REFUSED:
            self._refusals.log(scope, status, about)
        else:
            log.info("request", **about)

    async def _serve(self, scope: Scope, headers: Headers, receive: Receive, outgoing: _Outgoing) -> None:
        try:
            if scope["method"] in WITH_BODY:
                _require_readable(headers, max_bytes(scope["path"]))
            await self._app(scope, receive, outgoing)
        except Exception as error:
            known = error if isinstance(error, HelpdeskError) else of_failure(error)
            if outgoing.status is not None:
                raise  # in the midst of a response: the server cuts it off
            await problem(known, path=scope["path"], request_id=scope["request_id"])(scope, receive, outgoing)


def _count(scope: Scope, status: int, seconds: float) -> None:
    """By the route's template: a path or a method as it was sent could be anything, and each would be a series for ever."""
    route, method = getattr(scope.get("route"), "path", "none"), scope["method"]
    method = method if method in _METHODS else "other"
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def _id(given: str) -> str | None:
    """What stands in the path for an id can be any text."""
    return given if _ID.fullmatch(given) else None


def _require_readable(headers: Headers, limit: int) -> None:
    """FastAPI counts the bytes as they come. Of what says beforehand that it has too many, its refusal would be no problem+json."""
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMedia("A compressed body is not read: send it as it is, without Content-Encoding.", headers=CLOSE)
    length = headers.get("content-length", "0")
    if length.isdecimal() and (len(length) > 9 or int(length) > limit):
        raise too_large(limit)
