"""One connection of a client, within its bounds: what is too long is refused before it is kept, and nothing is waited for without an end.

uvicorn takes the class of its connections as ``http=``. Its own reads a request line and headers of any length, for any time.
"""

import asyncio
import secrets
from typing import Any, Final

import httptools
import structlog
from fastapi import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.problems import problem
from models.errors import BadRequest, HeadersTooLarge, HelpdeskError, TimedOut, Unavailable, UriTooLong

MAX_LINE: Final = 16 * 1024
"""Bytes of the address in a request line (RFC 9112, 3: at least 8,000)."""
MAX_HEADERS: Final = 32 * 1024
"""Bytes of all headers of a request."""
MAX_CONNECTIONS: Final = 800
"""With what the process opens besides, fewer than the 1,024 files that it may have open by default."""
RESERVED: Final = 32
"""So many more connections get the probes: a process that is full is alive."""
PROBES: Final = frozenset({"/healthz", "/readyz"})
HEAD_SECONDS = 10.0
"""From the first byte of a request, or from the connection itself, to the end of its headers."""
BODY_SECONDS = 30.0
"""To the end of its body: longer than the API itself waits for one, for the bodies that nobody waits for."""
WRITE_SECONDS = 60.0
"""For what a client does not take of a response: then it is cut off, or the response would be kept for it without an end."""
IDLE_SECONDS = 1.0
"""A server that is full ends the connection on which nothing was asked for the longest time, if it is as long as this."""
MAX_PIPELINED: Final = 50
"""Requests that wait on a connection for the response to the one before; each takes a hundred times its own bytes."""
_LINGER_SECONDS = 2.0
log = structlog.get_logger()


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's own, that counts. What the parser calls back raises, the parser stops, and the refusal goes out as a problem."""

    _refusal: HelpdeskError | None = None
    _is_closing = _is_surplus = _is_in_head = _is_in_body = False
    _head = _headers = 0
    _watched: str | None = None
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that pause_writing tells of every byte that is not taken
        self._idle_since = self.loop.time()
        self._is_surplus = len(self.connections) > MAX_CONNECTIONS and not self._makes_room()
        if self._is_surplus and len(self.connections) > MAX_CONNECTIONS + RESERVED:
            transport.close()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        self._stop_waiting()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Only as much of a head is parsed as one may have: the parser itself keeps what a header has not ended with."""
        rest = memoryview(data)
        while rest and not self._is_closing:
            room = len(rest) if self._is_in_body else MAX_LINE + MAX_HEADERS + 1 - self._head
            piece, rest = rest[:room], rest[room:]
            self._head += len(piece)
            super().data_received(bytes(piece))
            if self._head > MAX_LINE + MAX_HEADERS and not self._is_closing:
                self._refuse(_TOO_LARGE)
        if not self._is_closing:
            self._watch()

    def on_message_begin(self) -> None:
        self._is_in_head, self._headers = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_LINE:
            self._stop(
                UriTooLong(f"The address has more than {MAX_LINE} bytes: ask for less at once, or send it as a body where one is taken.")
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += len(name) + len(value) + len(b": \r\n")
        if self._headers > MAX_HEADERS:
            self._stop(_TOO_LARGE)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head, self._is_in_body, self._head = False, True, 0
        if self._is_surplus and httptools.parse_url(self.url).path.decode("ascii", "replace") not in PROBES:
            self._stop(Unavailable("There are too many connections: come again after Retry-After seconds.", headers={"Retry-After": "1"}))
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(BadRequest(f"More than {MAX_PIPELINED} requests wait on this connection: wait for the responses."))
        super().on_headers_complete()
        if self._is_surplus:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """What comes without a byte of the body, as what follows it does, is counted like a head: the parser keeps it, too."""
        self._head = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body, self._head = False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what the parser stopped at."""
        self._refuse(self._refusal or BadRequest(f"{msg.rstrip('.')}: send HTTP/1.1 (RFC 9112)."))

    def _stop(self, refusal: HelpdeskError) -> None:
        self._refusal = refusal
        raise ValueError(refusal.code)

    def _refuse(self, refusal: HelpdeskError) -> None:
        """Say it, and read on for a moment without keeping anything: a client that still sends would not see the response otherwise."""
        self._is_closing = True
        self._stop_watching()
        log.info("request.refused", status=refusal.status, code=refusal.code)
        if self._is_answering():
            self.transport.close()
            return
        self.transport.write(_on_the_wire(refusal))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _makes_room(self) -> bool:
        """Whether a connection could be ended on which nothing is under way: clients expect it (RFC 9112, 9.5), and connect again."""
        idle = [each for each in self.connections if isinstance(each, BoundedConnection) and each._is_idle()]  # noqa: SLF001 - its own class
        if idle:
            min(idle, key=lambda each: each._idle_since).transport.abort()  # noqa: SLF001
        return bool(idle)

    def _is_idle(self) -> bool:
        is_open = not (self._is_answering() or self.transport.is_closing())
        return is_open and self.loop.time() - self._idle_since >= IDLE_SECONDS

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete  # there is none before the first request

    def _watch(self) -> None:
        """A whole request in one piece, as nearly all are, needs no timer."""
        phase = "body" if self._is_in_body else "head" if self._is_in_head or not self._is_answering() else None
        if phase == self._watched:
            return
        self._stop_watching()
        self._watched = phase
        if phase is not None:
            self._deadline = self.loop.call_later(HEAD_SECONDS if phase == "head" else BODY_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        self._watched = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        if self._is_in_head and not self._is_answering():
            self._refuse(TimedOut(f"The head of the request did not arrive within {HEAD_SECONDS:g} seconds: send it whole, and at once."))
        else:
            self.transport.close()


_TOO_LARGE = HeadersTooLarge(f"The headers have more than {MAX_HEADERS} bytes: send fewer, or a shorter token.")


def _on_the_wire(refusal: HelpdeskError) -> bytes:
    """The problem, as no application has seen the request."""
    request_id = secrets.token_hex(12)
    response: Response = problem(refusal, path="", request_id=request_id)
    extra = {"X-Request-Id": request_id, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Connection": "close"}
    response.headers.update(extra)
    lines: list[Any] = [f"HTTP/1.1 {refusal.status} {refusal.title}".encode(), *(b": ".join(each) for each in response.raw_headers)]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
