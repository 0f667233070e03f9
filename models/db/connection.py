"""A connection of the pool, and what is sent on it without SQLAlchemy: statements that are made once, and commands."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypeVarTuple

from models.db.pool import driver_of
from models.db.prepared import Prepared
from models.db.redaction import DRIVERS_OWN, refusal

ROLLBACK_SECONDS = 2.0
"""The database has nothing to do for it: one that takes longer stands still, and the merchant's share of the pool with it."""
_Ts = TypeVarTuple("_Ts")


class Connection:
    """``connection`` is of an engine with ``AUTOCOMMIT``: SQLAlchemy begins and ends nothing on it. ``driver`` is the same one, bare.

    All of its methods raise SQLAlchemy's ``DBAPIError`` where the database refuses something, or is away: see models/db/failures.py.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.driver = driver_of(connection)
        self._connection = connection

    async def execute(self, statement: Prepared[*_Ts], values: Mapping[str, Any] | None = None) -> sa.Result[*_Ts]:
        """Run a statement that returns no rows of tables as rows, but values."""
        found = await self.fetch(statement.sql, *statement.values(values or {}))
        names = [part.name for part in statement.parts] if statement.parts else list(found[0].keys()) if found else ["nothing"]
        return IteratorResult(SimpleResultMetaData(names), map(statement.came, found))

    async def build(self, statement: sa.Executable, values: Mapping[str, Any] | None) -> sa.CursorResult[Any]:
        """Run a statement that was built for this once, by SQLAlchemy."""
        return await self._connection.execute(statement, values)

    async def fetch(self, sql: str, *values: Any) -> Sequence[Any]:
        try:
            return await self.driver.fetch(sql, *values)  # type: ignore[no-any-return]
        except DRIVERS_OWN as error:
            raise await self._refusal(error, sql) from None

    async def command(self, sql: str) -> str:
        """Without values, so there may be several in one message. Returns what the database says of the last one."""
        try:
            return str(await self.driver.execute(sql))
        except DRIVERS_OWN as error:
            raise await self._refusal(error, sql) from None

    async def _refusal(self, error: Exception, sql: str) -> sa.exc.DBAPIError:
        if isinstance(error, asyncpg.InternalClientError):  # the server ended it, and the driver has not understood yet
            self.driver.terminate()
        if self.driver.is_closed():
            try:
                # SQLAlchemy sees it for itself, and drops all of the pool's connections that are as old: the server was restarted.
                await self._connection.exec_driver_sql("SELECT 1")
            except sa.exc.DBAPIError as seen:
                return seen
        return refusal(error, sql)

    async def give_up(self, error: BaseException) -> None:
        """Roll back, to the end: a connection that is still at it would go back into the pool.

        Raises:
            CancelledError: it was cancelled meanwhile.
        """
        ending, cancelled = asyncio.create_task(self._rolled_back(error)), None
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError as late:
                cancelled = late
        if cancelled:
            raise cancelled

    async def _rolled_back(self, error: BaseException) -> None:
        """A connection that can't in time, or on which a statement was cancelled, is of no more use."""
        if isinstance(error, Exception) and not self.driver.is_closed():
            with suppress(Exception):
                await self.driver.execute("ROLLBACK", timeout=ROLLBACK_SECONDS)
                return
        await self._connection.invalidate()
