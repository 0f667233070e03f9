"""The tenant session: the only door to rows. Each transaction says first for whom it is; row-level security does the rest."""

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
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import SQLModel

from models.db.base import Row
from models.db.bulk_write import moved_rows, statement
from models.db.ids import Lease, id_of
from models.db.redaction import keep_values_out

BLOCK = 1024
RESERVE = 48
"""How many ids a transaction may take unless it reserves more: enough for any change of one ticket."""
_LEASE_SECONDS = 5.0  # an id tells its millisecond: an old block would tell an old one
_PASSING = ("08", "57", "53", "40")  # connection, operator intervention, resources, rollback
_LEASE = sa.text("SELECT lease_slots(:count)")
_T = TypeVar("_T")
_R = TypeVar("_R", bound=Row)


class _Block:
    """The slots that this process holds."""

    def __init__(self) -> None:
        self._left = Lease(0, 0)
        self._leased_at = float("-inf")

    def carve(self, count: int) -> Lease | None:
        """``count`` slots, or None when there are not enough, or they are old."""
        if self._left.end - self._left.first < count or time.monotonic() - self._leased_at > _LEASE_SECONDS:
            return None
        carved = Lease(self._left.first, self._left.first + count)
        self._left = Lease(carved.end, self._left.end)
        return carved

    def adopt(self, lease: Lease) -> None:
        self._left = lease
        self._leased_at = time.monotonic()


class TenantSession(AsyncSession):
    """A session of one merchant, inside one transaction."""

    def __init__(self, engine: AsyncEngine, merchant_id: int, block: _Block, node: int) -> None:
        super().__init__(engine, expire_on_commit=False, autoflush=False, sync_session_class=_TenantSyncSession)
        self.sync_session.info.update(merchant_id=merchant_id, read=[])
        self.merchant_id = merchant_id
        self._block = block
        self._node = node
        self._slots: Iterator[int] = iter(())
        self._new: dict[str, list[SQLModel | dict[str, Any]]] = {}

    def new_id(self) -> int:
        """The next of the ids that this transaction reserved."""
        return id_of(next(self._slots), self._node)

    async def reserve_ids(self, count: int = RESERVE) -> None:
        """Reserve ids for :meth:`new_id`. What a lease took from the database stays taken, even if this transaction is rolled back."""
        carved = self._block.carve(count)
        if carved is None:
            size = max(count, BLOCK)
            first = (await self.execute(_LEASE, {"count": size})).scalar_one()
            self._block.adopt(Lease(first + count, first + size))
            carved = Lease(first, first + count)
        self._slots = iter(range(*carved))

    def seen(self, table: type[_R], ids: Iterable[int]) -> dict[int, _R]:
        """Those of the merchant's rows with these ids that this transaction has read already."""
        keys = {id_: self.identity_key(table, (self.merchant_id, id_)) for id_ in ids}
        return {id_: row for id_, key in keys.items() if (row := self.identity_map.get(key))}

    def insert(self, row: SQLModel) -> None:
        """Have ``row`` inserted by the next :meth:`write`."""
        self._new.setdefault(str(row.__tablename__), []).append(row)

    def append(self, table: type[SQLModel], **values: Any) -> None:
        """The same for a row that nobody looks at again in this transaction: no object is made of it. A column left out is null."""
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
            state = sa.inspect(row)
            state._commit_all(state.dict, self.identity_map)  # noqa: SLF001 - so that no flush finds it again


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
    """Says for whom a transaction is in the message that begins it: no round trip of its own."""

    merchant_id: int | None = None
    """Of the transaction that begins next."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN") and self.merchant_id is not None:
            # The third argument makes it last for this transaction only: a setting of the session would leak through the pool.
            query += f" SELECT set_config('app.merchant_id', '{self.merchant_id:d}', true)"
            self.merchant_id = None  # whoever gets this connection next says for whom he is, or sees nothing
        return str(await super().execute(query, *args, **options))


@event.listens_for(_TenantSyncSession, "after_begin")
def _say_for_whom(session: Session, _transaction: Any, connection: sa.Connection) -> None:
    # SQLAlchemy's BEGIN goes out with the first statement, which comes after this.
    connection.connection.driver_connection.merchant_id = session.info["merchant_id"]  # type: ignore[union-attr]


@event.listens_for(_TenantSyncSession, "loaded_as_persistent")
def _keep(session: Session, row: object) -> None:
    """A row is read once in a transaction: a session alone forgets what nobody holds, and would ask again."""
    session.info["read"].append(row)


class Database:
    """A pool of connections of the application role. ``node`` is the ten bits of this service in every id."""

    def __init__(self, url: str, *, pool_size: int, node: int) -> None:
        self.engine = engine_of(url, pool_size=pool_size)
        self._node = node
        self._block = _Block()

    @asynccontextmanager
    async def reading(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """One transaction for one merchant: committed at the end, rolled back when anything is raised."""
        async with TenantSession(self.engine, merchant_id, self._block, self._node) as session, session.begin():
            yield session

    @asynccontextmanager
    async def writing(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """The same, with ids reserved for new rows."""
        async with self.reading(merchant_id) as session:
            await session.reserve_ids()
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
        pool_timeout=3,  # less than a local activity has: it fails by itself before it is given up
        connect_args={"timeout": 5, "command_timeout": 30, "connection_class": _TenantConnection},
        hide_parameters=True,
    )
    keep_values_out(engine)
    return engine
