"""How the API is served, by every command that starts it: one place for the bounds of the server, and for its end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Sequence

import uvicorn
from starlette.types import ASGIApp

from api.http.connection import BoundedConnection
from models.platform.serving import Server

KEEP_ALIVE_SECONDS = 65
"""Longer than the minute that load balancers keep a connection: it is theirs to close."""


def server_of(app: ASGIApp, *, host: str, port: int, trusted_proxies: Sequence[str] = ()) -> Server:
    """``trusted_proxies`` are the addresses or networks that may say for whom they ask (X-Forwarded-For)."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedConnection,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=15,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
    )
    return Server(config)


async def serve_until_signalled(
    server: Server, *, drain_seconds: float, drain: Callable[[], None], listener: socket.socket | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Then ``drain`` is called, and every request is still served for ``drain_seconds``.

    Meanwhile each response says ``Connection: close``: a proxy that asks whether the process is ready, or a client that keeps its
    connection, goes elsewhere before the port is closed, and no request meets a closed connection. A second signal ends the wait.
    What is under way then has the server's own grace to end. On ``listener`` it serves instead of a port of its own; a second signal
    is then its parent's, which passes on what the whole group was sent, and ends nothing.
    """
    signals: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, None)
    serving = asyncio.create_task(server.serve([listener] if listener else None))
    await asyncio.wait([serving, asyncio.create_task(signals.get())], return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        drain()
        server.config.encoded_headers.append((b"connection", b"close"))  # the server reads them once a second
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(signals.get() if listener is None else asyncio.Event().wait(), drain_seconds)
    server.should_exit = True
    await serving
