"""The tenant session: the only door to rows. Each transaction begins by naming its merchant; row-level security does the rest."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import SQLModel

from models.db.base import Row
from models.db.bulk_write import moved_rows, statement
from models.db.ids import id_of
from models.db.pool import POOL_WAIT_SECONDS, USUAL, Limits, ShareIsFullError, Shares, engine_of, in_use, share_of
from models.platform.metrics import POOL_REFUSED, POOL_WAIT

BLOCK = 65_536
LOW = 16_384
"""A transaction begins with at least so many ids at hand: hundreds of times what the largest one takes.

A block is what ``lease_slots`` leases in one call, 16 ms of ids.
"""
_LEASE_SECONDS = 5.0  # an id tells its millisecond: an old block would tell an old one
_AWAY = ("08", "53", "57P", "25006")  # no connection; no resources; shut down or not yet up; read-only, until a standby takes over
_COLLIDED = ("40", "55P03", "25P03")  # rolled back, as a deadlock's victim is; a lock that was not had in time; ended for standing still
_PROBE_SECONDS = 3.0
_REVISION = sa.text("SELECT version_num FROM alembic_version")
_LEASE = sa.text("SELECT lease_slots()")
_NAME = sa.text("SELECT set_config('app.merchant_id', :merchant, true)")
_T = TypeVar("_T")
_R = TypeVar("_R", bound=Row)


class _IdBlock:
    """The ids that this process holds, for all its transactions: leased from the database a block at a time."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._slots: Iterator[int] = iter(())
        self._left = 0
        self._leased_at = float("-inf")
        self._leasing = asyncio.Lock()

    def take(self) -> int:
        self._left -= 1
        return id_of(next(self._slots), self._node)

    async def replenish(self, session: AsyncSession) -> None:
        """Lease another block when this one runs low, or is old: an id tells its millisecond, and an old block would tell an old one."""
        if self._lasts():
            return
        # Bounded for all who wait together: a database that is away refuses each of them after this, and not one after the other.
        async with asyncio.timeout(POOL_WAIT_SECONDS), self._leasing:
            if not self._lasts():
                first = (await session.execute(_LEASE)).scalar_one()  # stays leased if the transaction is rolled back
                self._slots, self._left, self._leased_at = iter(range(first, first + BLOCK)), BLOCK, time.monotonic()

    def _lasts(self) -> bool:
        return self._left >= LOW and time.monotonic() - self._leased_at <= _LEASE_SECONDS


class TenantSession(AsyncSession):
    """A session of one merchant, inside one transaction."""

    def __init__(self, engine: AsyncEngine, merchant_id: int, ids: _IdBlock, asked_at: float) -> None:
        super().__init__(engine, expire_on_commit=False, autoflush=False, sync_session_class=_TenantSyncSession)
        self.sync_session.info.update(merchant_id=merchant_id, read=[], asked_at=asked_at, once_committed=[])
        self.merchant_id = merchant_id
        self._ids = ids
        self._new: dict[str, list[SQLModel | dict[str, Any]]] = {}

    @asynccontextmanager
    async def acting_for(self, merchant_id: int) -> AsyncIterator[None]:
        """Let another merchant be named until the end of the block, in the same transaction: one that is made in it."""
        before = self.merchant_id
        await self._name(merchant_id)
        yield
        await self._name(before)  # not after an error: the transaction is rolled back

    async def _name(self, merchant_id: int) -> None:
        await self.execute(_NAME, {"merchant": str(merchant_id)})
        self.merchant_id = merchant_id

    def new_id(self) -> int:
        return self._ids.take()

    def once_committed(self, call: Callable[[], object]) -> None:
        """Have ``call``, which never raises, made after the commit and never without one: what is logged or counted has happened."""
        self.sync_session.info["once_committed"].append(call)

    def seen(self, table: type[_R], ids: Iterable[int]) -> dict[int, _R]:
        """Those of the merchant's rows with these ids that this transaction has read already."""
        keys = {id_: self.identity_key(table, (self.merchant_id, id_)) for id_ in ids}
        return {id_: row for id_, key in keys.items() if (row := self.identity_map.get(key))}

    def insert(self, row: SQLModel) -> None:
        """Have ``row`` inserted by the next :meth:`write`."""
        self._new.setdefault(str(row.__tablename__), []).append(row)

    def append(self, table: type[SQLModel], **values: Any) -> None:
        """The same for a row that is not read again in this transaction: no object is made of it. A column left out is null."""
        if not values.keys() <= _columns(table):
            raise TypeError(f"{table.__name__} has no {sorted(values.keys() - _columns(table))}")
        self._new.setdefault(str(table.__tablename__), []).append(values)

    async def write(self) -> None:
        """Write the loaded rows that changed, and all new rows of all tables, in one statement: one round trip whatever their number.

        Foreign keys are checked at the end of the statement. What was given to :meth:`add` is left to the flush at the commit. It knows
        nothing of savepoints.

        Raises:
            StaleDataError: a loaded row is not there any more.
        """
        changed = list(self.dirty)
        moved = moved_rows(changed)
        if not (moved or self._new):
            return
        new = {table: [row if isinstance(row, dict) else row.model_dump() for row in rows] for table, rows in self._new.items()}
        if (await self.execute(*statement(moved, new))).scalar_one() != sum(map(len, moved.values())):
            raise StaleDataError("a row that was read is gone")
        self._new.clear()
        for row in changed:
            for name in list(sa.inspect(row).committed_state):
                set_committed_value(row, name, getattr(row, name))  # so that the next write does not take it for changed


def locked(rows: sa.Select[_T], **how: Any) -> sa.Select[_T]:
    """Hold ``rows`` until the transaction ends; they are as they stand under the lock, also those that were read before it.

    ``FOR NO KEY UPDATE``: who holds a row does not change its key, and a plain lock would keep out everyone whose new row refers to it.
    Each ticket that is opened refers to its team. What is joined to the rows and not locked is as it stood before the wait.
    """
    return rows.with_for_update(key_share=True, **how).execution_options(populate_existing=True)


@cache
def _columns(table: type[SQLModel]) -> frozenset[str]:
    return frozenset(SQLModel.metadata.tables[str(table.__tablename__)].columns.keys())


class _TenantSyncSession(Session):
    pass


@event.listens_for(_TenantSyncSession, "after_begin")
def _name_merchant(session: Session, _transaction: Any, connection: sa.Connection) -> None:
    # SQLAlchemy's BEGIN goes out with the first statement, which comes after this.
    connection.connection.driver_connection.merchant_id = session.info["merchant_id"]  # type: ignore[union-attr]
    POOL_WAIT.observe(time.perf_counter() - session.info["asked_at"])


@event.listens_for(_TenantSyncSession, "after_commit")
def _call(session: Session) -> None:
    calls, session.info["once_committed"] = session.info["once_committed"], []
    for call in calls:
        call()


@event.listens_for(_TenantSyncSession, "loaded_as_persistent")
def _keep(session: Session, row: object) -> None:
    """A row is read once in a transaction: a session alone forgets what no variable holds, and would ask again."""
    session.info["read"].append(row)


class Database:
    """A pool of connections of the application role; one merchant has at most a ``share`` of them at once.

    ``node`` is the ten bits of this service in every id.
    """

    def __init__(self, url: str, *, pool_size: int, node: int, share: float = 0.6, limits: Limits = USUAL) -> None:
        self.pool_size = pool_size
        self.engine = engine_of(url, pool_size=pool_size, limits=limits)
        self._probe = engine_of(url, pool_size=1, limits=limits._replace(statement=_PROBE_SECONDS / 2))
        self._shares = Shares(share_of(pool_size, share))
        self._ids = _IdBlock(node)

    @asynccontextmanager
    async def reading(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """One transaction for one merchant: committed at the end, rolled back when anything is raised."""
        asked_at = time.perf_counter()
        try:
            async with (
                self._shares.of(merchant_id),
                TenantSession(self.engine, merchant_id, self._ids, asked_at) as session,
                session.begin(),
            ):
                yield session
        except sa.exc.TimeoutError as error:
            POOL_REFUSED.labels("share" if isinstance(error, ShareIsFullError) else "pool").inc()
            raise

    @asynccontextmanager
    async def writing(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """The same, with ids for new rows."""
        async with self.reading(merchant_id) as session:
            await self._ids.replenish(session)
            yield session

    @property
    def in_use(self) -> int:
        """Connections that a transaction has now."""
        return in_use(self.engine)

    async def revision(self) -> str | None:
        """The schema's, by a connection of its own: a pool that is busy says nothing about the database."""
        async with asyncio.timeout(_PROBE_SECONDS), self._probe.connect() as connection:
            found: str | None = (await connection.execute(_REVISION)).scalar_one_or_none()
        return found

    async def aclose(self) -> None:
        await self.engine.dispose()
        await self._probe.dispose()


def is_away(error: BaseException) -> bool:
    """Whether the database could not be reached, is restarting, has no more room, or only reads: nothing else will work now either.

    An error of the driver without an SQLSTATE is about what it was given, unless the connection is lost with it.
    """
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    state = _state(error)
    if state:
        return state.startswith(_AWAY)
    return isinstance(error, (sa.exc.TimeoutError, OSError, TimeoutError)) and not isinstance(error, ShareIsFullError)


def is_passing(error: BaseException) -> bool:
    """Whether the same may work in a moment: the database is away, or this transaction met another one.

    Only what is known to pass. A statement that took too long (57014) would take as long again.
    """
    return is_away(error) or isinstance(error, ShareIsFullError) or _state(error).startswith(_COLLIDED)


def is_busy(error: BaseException) -> bool:
    """Whether the server is up and has no room for one more connection, or the statement took too long."""
    return _state(error).startswith(("53", "57014"))


def is_full(error: BaseException) -> bool:
    """Whether the database is there, and this one request found no room: in the pool, in its merchant's share, beside another one."""
    return is_busy(error) or isinstance(error, sa.exc.TimeoutError) or _state(error).startswith(_COLLIDED)


def _state(error: BaseException) -> str:
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error  # the driver's own, when there was no connection yet
    return getattr(said, "sqlstate", None) or ""
