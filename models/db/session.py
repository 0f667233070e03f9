"""The tenant session: the only door to rows. Each transaction begins by naming its merchant; row-level security does the rest."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

import asyncpg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import SQLModel

from models.db.base import Row
from models.db.bulk_write import moved_rows, statement
from models.db.ids import id_of
from models.db.redaction import keep_values_out

BLOCK = 65_536
LOW = 16_384
"""A transaction begins with at least so many ids at hand: hundreds of times what the largest one takes. A block is 16 ms of ids."""
POOL_SECONDS = 3
"""How long a transaction waits for a connection: less than a local activity has, so that it fails by itself before it is given up."""
_LEASE_SECONDS = 5.0  # an id tells its millisecond: an old block would tell an old one
_PASSING = ("08", "57", "53", "40")  # connection, operator intervention, resources, rollback
_LEASE = sa.text("SELECT lease_slots(:count)")
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
        async with asyncio.timeout(POOL_SECONDS), self._leasing:
            if not self._lasts():
                first = (await session.execute(_LEASE, {"count": BLOCK})).scalar_one()  # stays leased if the transaction is rolled back
                self._slots, self._left, self._leased_at = iter(range(first, first + BLOCK)), BLOCK, time.monotonic()

    def _lasts(self) -> bool:
        return self._left >= LOW and time.monotonic() - self._leased_at <= _LEASE_SECONDS


class TenantSession(AsyncSession):
    """A session of one merchant, inside one transaction."""

    def __init__(self, engine: AsyncEngine, merchant_id: int, ids: _IdBlock) -> None:
        super().__init__(engine, expire_on_commit=False, autoflush=False, sync_session_class=_TenantSyncSession)
        self.sync_session.info.update(merchant_id=merchant_id, read=[])
        self.merchant_id = merchant_id
        self._ids = ids
        self._new: dict[str, list[SQLModel | dict[str, Any]]] = {}

    def new_id(self) -> int:
        return self._ids.take()

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


class _TenantConnection(asyncpg.Connection):  # type: ignore[misc] # no types in the wheel
    """Names the transaction's merchant in the message that begins it: no round trip of its own."""

    merchant_id: int | None = None
    """Of the transaction that begins next."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN") and self.merchant_id is not None:
            # The third argument makes it last for this transaction only: a setting of the session would leak through the pool.
            query += f" SELECT set_config('app.merchant_id', '{self.merchant_id:d}', true)"
            self.merchant_id = None  # the next transaction on this connection names its merchant, or sees nothing
        return str(await super().execute(query, *args, **options))


@event.listens_for(_TenantSyncSession, "after_begin")
def _name_merchant(session: Session, _transaction: Any, connection: sa.Connection) -> None:
    # SQLAlchemy's BEGIN goes out with the first statement, which comes after this.
    connection.connection.driver_connection.merchant_id = session.info["merchant_id"]  # type: ignore[union-attr]


@event.listens_for(_TenantSyncSession, "loaded_as_persistent")
def _keep(session: Session, row: object) -> None:
    """A row is read once in a transaction: a session alone forgets what no variable holds, and would ask again."""
    session.info["read"].append(row)


class Database:
    """A pool of connections of the application role. ``node`` is the ten bits of this service in every id."""

    def __init__(self, url: str, *, pool_size: int, node: int) -> None:
        self.engine = engine_of(url, pool_size=pool_size)
        self._ids = _IdBlock(node)

    @asynccontextmanager
    async def reading(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """One transaction for one merchant: committed at the end, rolled back when anything is raised."""
        async with TenantSession(self.engine, merchant_id, self._ids) as session, session.begin():
            yield session

    @asynccontextmanager
    async def writing(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """The same, with ids for new rows."""
        async with self.reading(merchant_id) as session:
            await self._ids.replenish(session)
            yield session

    async def aclose(self) -> None:
        await self.engine.dispose()


def is_passing(error: BaseException) -> bool:
    """Whether the database was away, restarted or busy, or chose this transaction as a deadlock's victim: the same may come again.

    By SQLSTATE class, or no connection at all.
    """
    if isinstance(error, sa.exc.DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return error.connection_invalidated or not state or state[:2] in _PASSING
    state = getattr(error, "sqlstate", None)  # the driver's own, when there was no connection yet
    return state[:2] in _PASSING if state else isinstance(error, (sa.exc.TimeoutError, OSError, TimeoutError))


def engine_of(url: str, *, pool_size: int) -> AsyncEngine:
    """``url`` is of the form ``postgresql://role:password@host/database``; a socket folder goes into ``?host=``."""
    engine = create_async_engine(
        sa.make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        connect_args={"timeout": 5, "command_timeout": 30, "connection_class": _TenantConnection},
        hide_parameters=True,
    )
    keep_values_out(engine)
    return engine
