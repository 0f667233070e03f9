"""What the database says of a failure, without the values that it failed on: errors reach logs and Temporal's histories."""

import asyncpg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

DRIVERS_OWN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_QUOTING = "22"  # the class of SQLSTATEs whose message itself quotes what can't be read or kept
_KINDS = {"23": sa.exc.IntegrityError, "42": sa.exc.ProgrammingError}


def keep_values_out(engine: AsyncEngine) -> None:
    """To be used with ``hide_parameters``, which keeps them out of SQLAlchemy's own part of a message."""
    event.listen(engine.sync_engine, "handle_error", _forget)


def _forget(context: ExceptionContext) -> None:
    said = context.original_exception
    said.__cause__ = None  # the driver's own error, whose text goes on with PostgreSQL's DETAIL: the row
    if _quotes(said):
        for error in filter(None, (said, context.sqlalchemy_exception)):
            error.args = (f"({type(said).__name__}) a value can't be read or kept",)


def _quotes(error: BaseException) -> bool:
    """The driver refuses an argument by itself, without an SQLSTATE."""
    state = getattr(error, "sqlstate", None)
    return state[:2] == _QUOTING if state else "query argument" in str(error)


class _Said(Exception):
    """Its message, without the DETAIL that goes with it."""

    def __init__(self, error: BaseException) -> None:
        what = "a value can't be read or kept" if _quotes(error) else error.args[0]
        super().__init__(f"({type(error).__name__}) {what}")
        self.sqlstate = getattr(error, "sqlstate", None)


def refusal(error: Exception, sql: str) -> sa.exc.DBAPIError:
    """SQLAlchemy's error for one of the driver's own."""
    said = _Said(error)
    kind = _KINDS.get((said.sqlstate or "")[:2], sa.exc.DBAPIError)
    return kind(sql, None, said, hide_parameters=True)
