"""Which failure of the database passes by itself, and which would come again."""

import asyncpg
import sqlalchemy as sa

from models.db.pool import ShareIsFullError

_AWAY = ("08", "53", "57P", "25006")  # no connection; no resources; shut down or not yet up; read-only, until a standby takes over
_COLLIDED = ("40", "55P03", "25P03")  # rolled back, as a deadlock's victim is; a lock that was not had in time; ended for standing still
_OUTDATED = asyncpg.InvalidCachedStatementError.__name__


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
    """Whether the same may work in a moment: the database is away, or this transaction met another one, or a migration.

    Only what is known to pass. A statement that took too long (57014) would take as long again.
    """
    return is_away(error) or isinstance(error, ShareIsFullError) or _is_outdated(error) or _state(error).startswith(_COLLIDED)


def is_busy(error: BaseException) -> bool:
    """Whether the server is up and has no room for one more connection, or the statement took too long."""
    return _state(error).startswith(("53", "57014"))


def is_full(error: BaseException) -> bool:
    """Whether the database is there, and this one request found no room: in the pool, in its merchant's share, beside another one."""
    return is_busy(error) or isinstance(error, sa.exc.TimeoutError) or _state(error).startswith(_COLLIDED)


def _is_outdated(error: BaseException) -> bool:
    """Whether a statement was prepared before a column changed its type. Its SQLSTATE is also that of what PostgreSQL can't do at all."""
    return isinstance(error, sa.exc.DBAPIError) and _OUTDATED in str(error)


def _state(error: BaseException) -> str:
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error  # the driver's own, when there was no connection yet
    return getattr(said, "sqlstate", None) or ""
