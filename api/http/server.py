"""How the API is served, by every command that starts it: one place for the bounds of the server."""

from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from api.http.connection import BoundedConnection

KEEP_ALIVE_SECONDS = 65
"""Longer than the minute that load balancers keep a connection: it is theirs to close."""


def server_of(app: ASGIApp, *, host: str, port: int, trusted_proxies: Sequence[str] = ()) -> uvicorn.Server:
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
    return uvicorn.Server(config)
