"""The tenant session: the only door to rows. Each transaction begins by naming its merchant; row-level security does the rest."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any, TypeVar, overload

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlmodel import SQLModel
from typing_extensions import TypeVarTuple

from models.db.base import Row
from models.db.bulk_write import moved_rows, statement
from models.db.ids import id_of
from models.db.pool import (
    POOL_WAIT_SECONDS,
    USUAL,
    Limits,
    ShareIsFullError,
    Shares,
    driver_of,
    engine_of,
    in_use,
    share_of,
)
from models.db.prepared import Asked, Part, Prepared, parts_of
from models.db.redaction import DRIVERS_OWN, refusal
from models.db.rows import Columns, Key, key_names, row_of
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
_LEASE = Prepared[int](sa.text("SELECT lease_slots()"))
_NAME = "SELECT set_config('app.merchant_id', '{:d}', true)"
"""The third argument makes it last for this transaction only: a setting of the session would leak through the pool."""
_T = TypeVar("_T", bound=SQLModel)
_R = TypeVar("_R", bound=Row)
_Ts = TypeVarTuple("_Ts")


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

    async def replenish(self, session: "TenantSession") -> None:
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


class TenantSession:
    """What is read and written in one transaction of one merchant.

    A row is read once: who reads it again gets the same object, with what was changed of it; unless the statement locks it, or says
    ``populate_existing``: then it is as it stands now. ``info`` is the callers' own.
    """

    def __init__(self, connection: AsyncConnection, merchant_id: int, ids: _IdBlock) -> None:
        self.merchant_id = merchant_id
        self.info: dict[str, Any] = {}
        self._connection = connection
        self.driver = driver_of(connection)
        self._ids = ids
        self._rows: dict[Key, SQLModel] = {}
        self._as_read: dict[Key, dict[str, Any]] = {}
        self._new: dict[str, list[SQLModel | dict[str, Any]]] = {}
        self._once_committed: list[Callable[[], object]] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Committed at the end with all that was changed, rolled back when anything is raised."""
        await self._command(f"BEGIN; {_NAME.format(self.merchant_id)}")  # one message, so one round trip
        try:
            yield
            await self.write()
            await self._commit()
        except BaseException as error:
            await asyncio.shield(self._give_up(error))
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
        """Run a statement. Raises: DBAPIError: the database refuses it, or is away: see :func:`is_away`, :func:`is_passing`."""
        if isinstance(statement, Asked):
            statement, values = statement
        if isinstance(statement, Prepared):
            return self._result(statement, await self._fetch(statement.sql, *statement.values(values or {})))
        result = await self._connection.execute(statement, values)
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

    async def refresh(self, row: Row) -> None:
        """Have ``row`` as it stands now: another transaction may have changed it."""
        await self.execute(_with_key(type(row)), {"merchant_id": row.merchant_id, "id": row.id})

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
        if (await self._fetch(sql, *documents))[0][0] != sum(map(len, moved.values())):
            raise StaleDataError("a row that was read is gone")
        self._new.clear()
        for key in changed:
            self._as_read[key] = {name: self._rows[key].__dict__[name] for name in self._as_read[key]}

    async def _commit(self) -> None:
        if await self._command("COMMIT") != "COMMIT":
            raise sa.exc.InvalidRequestError("a statement has failed, so all was rolled back: let its error end the transaction")

    async def _name(self, merchant_id: int) -> None:
        await self._command(_NAME.format(merchant_id))
        self.merchant_id = merchant_id

    def _result(self, asked: Prepared[Any], records: Sequence[Any]) -> sa.Result[Any]:
        values = map(asked.came, records)
        if asked.parts is not None:
            return self._rows_of(asked.parts, values)
        return IteratorResult(SimpleResultMetaData(tuple(records[0].keys()) if records else ("nothing",)), values)

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

    async def _fetch(self, sql: str, *values: Any) -> Sequence[Any]:
        try:
            return await self.driver.fetch(sql, *values)  # type: ignore[no-any-return]
        except DRIVERS_OWN as error:
            raise await self._refusal(error, sql) from None

    async def _command(self, sql: str) -> str:
        """Without values, so there may be several in one message. Returns what the database says of the last one."""
        try:
            return str(await self.driver.execute(sql))
        except DRIVERS_OWN as error:
            raise await self._refusal(error, sql) from None

    async def _refusal(self, error: Exception, sql: str) -> sa.exc.DBAPIError:
        if self.driver.is_closed():
            try:
                # SQLAlchemy sees it for itself, and drops all of the pool's connections that are as old: the server was restarted.
                await self._connection.exec_driver_sql("SELECT 1")
            except sa.exc.DBAPIError as seen:
                return seen
        return refusal(error, sql)

    async def _give_up(self, error: BaseException) -> None:
        """Roll back. A connection that can't, or on which a statement was cancelled, is of no more use."""
        if isinstance(error, Exception) and not self.driver.is_closed():
            with suppress(Exception):
                await self.driver.execute("ROLLBACK")
                return
        await self._connection.invalidate()


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
        self._ids = _IdBlock(node)

    @asynccontextmanager
    async def reading(self, merchant_id: int) -> AsyncIterator[TenantSession]:
        """One transaction for one merchant: committed at the end, rolled back when anything is raised."""
        asked_at = time.perf_counter()
        try:
            async with (
                self._shares.of(merchant_id),
                self.engine.connect() as connection,
            ):
                POOL_WAIT.observe(time.perf_counter() - asked_at)
                session = TenantSession(connection, merchant_id, self._ids)
                async with session.transaction():
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
