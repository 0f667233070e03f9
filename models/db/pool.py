"""Connections to PostgreSQL: how long each may take for what, and how many of them one merchant may have at once."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import asyncpg
import sqlalchemy as sa
from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from models.db.redaction import keep_values_out

SHARE_WAIT_SECONDS = 2.0
POOL_WAIT_SECONDS = 2.5
"""Both together are less than the five seconds of a local activity: it fails by itself before it is given up."""
_KEEPALIVE = {"idle": 30, "interval": 10, "count": 3}
"""A peer that is gone without a word is noticed after a minute."""
_CLIENT_SIDE = {"TCP_KEEPIDLE": "idle", "TCP_KEEPINTVL": "interval", "TCP_KEEPCNT": "count"}


class Limits(NamedTuple):
    """Seconds that PostgreSQL gives a statement, a wait for a lock, and a transaction in which nothing is asked.

    The last one frees the locks of a process that stands still.
    """

    statement: float = 10
    lock: float = 5
    idle_in_transaction: float = 30

    def as_settings(self) -> dict[str, str]:
        timeouts = {"statement_timeout": self.statement, "lock_timeout": self.lock}
        timeouts["idle_in_transaction_session_timeout"] = self.idle_in_transaction
        keepalives = {f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()}
        return {name: str(round(seconds * 1000)) for name, seconds in timeouts.items()} | keepalives


USUAL = Limits()


class ShareIsFullError(sa.exc.TimeoutError):
    """A merchant has all the connections that it may have, and none came back in time: the same as a full pool, for it alone."""


class Shares:
    """At most ``each`` connections at once for a merchant: one whose statements are slow waits for itself, and nobody else does."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._of: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()  # as many as merchants have work under way

    @asynccontextmanager
    async def of(self, merchant_id: int) -> AsyncIterator[None]:
        """Raises: ShareIsFullError."""
        share = self._of.setdefault(merchant_id, asyncio.Semaphore(self._each))
        try:
            async with asyncio.timeout(SHARE_WAIT_SECONDS):
                await share.acquire()
        except TimeoutError:
            raise ShareIsFullError(f"merchant {merchant_id} has {self._each} connections in use") from None
        try:
            yield
        finally:
            share.release()


def share_of(pool_size: int, fraction: float) -> int:
    """At least two, where the pool has two: one slow statement alone stops nobody."""
    return min(pool_size, max(2, math.floor(pool_size * fraction)))


class _Connection(asyncpg.Connection):  # type: ignore[misc] # no types in the wheel
    def __init__(self, protocol: Any, transport: asyncio.Transport, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        _keep_alive(transport.get_extra_info("socket"))


def engine_of(url: str, *, pool_size: int, limits: Limits = USUAL, isolation: Literal["AUTOCOMMIT"] | None = None) -> AsyncEngine:
    """``url`` is of the form ``postgresql://role:password@host/database``; a socket folder goes into ``?host=``."""
    engine = create_async_engine(
        sa.make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        connect_args={
            "timeout": 5,
            "command_timeout": 30,  # for a server that does not even answer that a statement took too long
            "connection_class": _Connection,
            "server_settings": limits.as_settings(),
        },
        hide_parameters=True,
        **({"isolation_level": isolation} if isolation else {}),
    )
    keep_values_out(engine)
    return engine


def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """The driver's own connection, on which SQLAlchemy begins and ends nothing: for an engine with ``AUTOCOMMIT``."""
    assert connection.sync_connection is not None  # noqa: S101 - it is connected
    return connection.sync_connection.connection.driver_connection


def in_use(engine: AsyncEngine) -> int:
    """Connections that are out of its pool."""
    pool = engine.pool
    return pool.checkedout() if isinstance(pool, QueuePool) else 0


def _keep_alive(link: socket.socket) -> None:
    """The driver has no option for it."""
    if link.family == socket.AF_UNIX:
        return
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, name in _CLIENT_SIDE.items():
        if hasattr(socket, option):  # not on every system
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), _KEEPALIVE[name])
