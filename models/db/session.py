"""The tenant session: the only door to rows. Each transaction begins by naming its merchant; row-level security does the rest."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar, overload

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlmodel import SQLModel
from typing_extensions import TypeVarTuple

from models.db.base import Row
from models.db.bulk_write import moved_rows, statement
from models.db.connection import Connection
from models.db.id_block import IdBlock
from models.db.pool import USUAL, Limits, ShareIsFullError, Shares, engine_of, in_use, share_of
from models.db.prepared import Asked, Part, Prepared, parts_of
from models.db.rows import Columns, Key, key_names, row_of
from models.platform.metrics import POOL_REFUSED, POOL_WAIT

_PROBE_SECONDS = 3.0
_REVISION = sa.text("SELECT version_num FROM alembic_version")
_NAME = "SELECT set_config('app.merchant_id', '{:d}', true)"
"""The third argument makes it last for this transaction only: a setting of the session would leak through the pool."""
_T = TypeVar("_T", bound=SQLModel)
_R = TypeVar("_R", bound=Row)
_Ts = TypeVarTuple("_Ts")


class TenantSession:
    """What is read and written in one transaction of one merchant.

    A row is read once: who reads it again gets the same object, with what was changed of it; unless the statement locks it, or says
    ``populate_existing``: then it is as it stands now. ``info`` is the callers' own.
    """

    def __init__(self, connection: Connection, merchant_id: int, ids: IdBlock) -> None:
        self.merchant_id = merchant_id
        self.info: dict[str, Any] = {}
        self._connection = connection
        self.driver = connection.driver
        self._ids = ids
        self._rows: dict[Key, SQLModel] = {}
        self._as_read: dict[Key, dict[str, Any]] = {}
        self._new: dict[str, list[SQLModel | dict[str, Any]]] = {}
        self._once_committed: list[Callable[[], object]] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Committed at the end with all that was changed, rolled back when anything is raised."""
        begun_for = self.merchant_id
        try:
            await self._connection.command(f"BEGIN; {_NAME.format(begun_for)}")  # one message, so one round trip
            yield
            await self.write()
            await self._commit(begun_for)
        except BaseException as error:
            await self._connection.give_up(error)
            raise
        for call in self._once_committed:
            call()

    @asynccontextmanager
    async def acting_for(self, merchant_id: int) -> AsyncIterator[None]:
        """Let another merchant be named until the end of the block, in the same transaction: one that is made in it."""
        before = self.merchant_id
        await self._name(merchant_id)
        yield
        await self._name(before)  # not after an error: the transaction is rolled back

    async def replenish_ids(self) -> None:
        await self._ids.replenish(self._connection)

    def new_id(self) -> int:
        return self._ids.take()

    def once_committed(self, call: Callable[[], object]) -> None:
        """Have ``call``, which never raises, made after the commit and never without one: what is logged or counted has happened."""
        self._once_committed.append(call)

    @overload
    async def execute(self, statement: Prepared[*_Ts] | Asked[*_Ts], values: Mapping[str, Any] | None = None) -> sa.Result[*_Ts]: ...
    @overload
    async def execute(self, statement: TypedReturnsRows[*_Ts], values: Mapping[str, Any] | None = None) -> sa.Result[*_Ts]: ...
    @overload
    async def execute(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> sa.Result[*tuple[Any, ...]]: ...
    async def execute(self, statement: Any, values: Mapping[str, Any] | None = None) -> sa.Result[Any]:
        """Run a statement. Raises: DBAPIError: the database refuses it, or is away: see models/db/failures.py."""
        if isinstance(statement, Asked):
            statement, values = statement
        if isinstance(statement, Prepared):
            if statement.parts is None:
                return await self._connection.execute(statement, values)
            found = await self._connection.fetch(statement.sql, *statement.values(values or {}))
            return self._rows_of(statement.parts, map(statement.came, found))
        result = await self._connection.build(statement, values)
        parts = parts_of(statement, result)
        return result if parts is None else self._rows_of(parts, result)

    async def get(self, table: type[_T], key: tuple[Any, ...]) -> _T | None:
        """The row with this primary key, also one that was read before; None: there is none, or not of this merchant."""
        known: Any = self._rows.get((table, *key))
        return known or (await self.execute(_with_key(table), dict(zip(key_names(table), key, strict=True)))).scalar_one_or_none()

    async def get_one(self, table: type[_T], key: tuple[Any, ...]) -> _T:
        """Raises: NoResultFound: there is none."""
        row = await self.get(table, key)
        if row is None:
            raise NoResultFound(f"there is no such {table.__name__}")
        return row

    def seen(self, table: type[_R], ids: Iterable[int]) -> dict[int, _R]:
        """Those of the merchant's rows with these ids that this transaction has read already."""
        rows: Any = {id_: self._rows.get((table, self.merchant_id, id_)) for id_ in ids}
        return {id_: row for id_, row in rows.items() if row is not None}

    def expunge(self, row: SQLModel) -> None:
        """Forget a row that outlives the transaction: what is changed in it is not of that row."""
        del self._rows[(type(row), *(getattr(row, name) for name in key_names(type(row))))]

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

        Foreign keys are checked at the end of the statement. The end of the transaction does it by itself.

        Raises:
            StaleDataError: a loaded row is not there any more.
        """
        changed = [key for key, row in self._rows.items() if instance_state(row).modified]
        moved = moved_rows((self._rows[key], self._as_read[key]) for key in changed)
        if not (moved or self._new):
            return
        new = {table: [row if isinstance(row, dict) else row.model_dump() for row in rows] for table, rows in self._new.items()}
        sql, documents = statement(moved, new)
        if (await self._connection.fetch(sql, *documents))[0][0] != sum(map(len, moved.values())):
            raise StaleDataError("a row that was read is gone")
        self._new.clear()
        for key in changed:
            self._as_read[key] = {name: self._rows[key].__dict__[name] for name in self._as_read[key]}

    async def _commit(self, begun_for: int) -> None:
        if self.merchant_id != begun_for:
            raise sa.exc.InvalidRequestError("an error left acting_for(), so another merchant is named still: let it end the transaction")
        if await self._connection.command("COMMIT") != "COMMIT":
            raise sa.exc.InvalidRequestError("a statement has failed, so all was rolled back: let its error end the transaction")

    async def _name(self, merchant_id: int) -> None:
        await self._connection.command(_NAME.format(merchant_id))
        self.merchant_id = merchant_id

    def _rows_of(self, parts: Sequence[Part], found: Iterable[Sequence[Any]]) -> sa.Result[Any]:
        rows = [self._read(parts, each) for each in found]  # at once: from here on they are known by their keys
        return IteratorResult(SimpleResultMetaData([part.name for part in parts]), iter(rows))

    def _read(self, parts: Sequence[Part], values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            values[part.start] if part.columns is None else self._row(part.columns, values[part.start : part.end], anew=part.is_anew)
            for part in parts
        )

    def _row(self, columns: Columns, values: Sequence[Any], *, anew: bool) -> SQLModel | None:
        """The row of these values: the one that was read before, if there is one; with the columns that it did not have yet."""
        key = columns.key_of(values)
        if key is None:
            return None
        read, row = dict(zip(columns.names, values, strict=True)), self._rows.get(key)
        if row is None:
            row = self._rows[key] = row_of(columns.table, read)
            self._as_read[key] = read
        elif anew or not read.keys() <= row.__dict__.keys():
            news = read if anew else {name: value for name, value in read.items() if name not in row.__dict__}
            row.__dict__.update(news)
            self._as_read[key] = self._as_read[key] | news
        return row


def locked(rows: sa.Select[*_Ts], of: type[SQLModel] | None = None, *, skip_locked: bool = False) -> sa.Select[*_Ts]:
    """Hold ``rows`` until the transaction ends; they are as they stand under the lock, also those that were read before it.

    ``FOR NO KEY UPDATE``: who holds a row does not change its key, and a plain lock would keep out everyone whose new row refers to it.
    Each ticket that is opened refers to its team. What is joined to the rows ``of`` a table is not locked: it is as it stood before the
    wait, and a row of it that was read before stays as it is.
    """
    held = rows.with_for_update(key_share=True, of=of, skip_locked=skip_locked)
    return held.execution_options(populate_existing=True, anew_of=of)


@cache
def _columns(table: type[SQLModel]) -> frozenset[str]:
    return frozenset(SQLModel.metadata.tables[str(table.__tablename__)].columns.keys())


@cache
def _with_key(table: type[_T]) -> Prepared[_T]:
    same = [column == sa.bindparam(column.name, type_=column.type) for column in sa.inspect(table).primary_key]
    return Prepared(sa.select(table).where(*same).execution_options(populate_existing=True))


class Database:
    """A pool of connections of the application role; one merchant has at most a ``share`` of them at once.

    ``node`` is the ten bits of this service in every id.
    """

    def __init__(self, url: str, *, pool_size: int, node: int, share: float = 0.6, limits: Limits = USUAL) -> None:
        self.pool_size = pool_size
        self.engine = engine_of(url, pool_size=pool_size, limits=limits, isolation="AUTOCOMMIT")  # BEGIN is the session's
        self._probe = engine_of(url, pool_size=1, limits=limits._replace(statement=_PROBE_SECONDS / 2))
        self._shares = Shares(share_of(pool_size, share))
        self._ids = IdBlock(node)

    @asynccontextmanager
    async def reading(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """One transaction for one merchant: committed at the end, rolled back when anything is raised."""
        asked_at = time.perf_counter()
        try:
            async with self._shares.of(merchant_id), self.engine.connect() as connection:
                POOL_WAIT.observe(time.perf_counter() - asked_at)
                session = TenantSession(Connection(connection), merchant_id, self._ids)
                async with session.transaction():
                    yield session
        except sa.exc.TimeoutError as error:
            POOL_REFUSED.labels("share" if isinstance(error, ShareIsFullError) else "pool").inc()
            raise

    @asynccontextmanager
    async def writing(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """The same, with ids for new rows."""
        async with self.reading(merchant_id) as session:
            await session.replenish_ids()
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
