"""A database that can't be reached, said in one line: the trace of a driver says less at night."""

import contextlib
from collections.abc import Iterator

_REFUSED = ("28", "3D")
"""SQLSTATE: the role or its password, or there is no such database."""


class DatabaseUnreachableError(Exception):
    """What was done before stays. The text is what the driver said, and no password."""


@contextlib.contextmanager
def reaching_database() -> Iterator[None]:
    """Raises: DatabaseUnreachableError: it is away, or lets this role not in. Whatever else it refuses is raised as it is: a defect."""
    from models.db.failures import is_away  # noqa: PLC0415 - the command line's help needs no database

    try:
        yield
    except Exception as error:
        said = getattr(error, "orig", None) or error
        if not (is_away(error) or str(getattr(said, "sqlstate", "")).startswith(_REFUSED)):
            raise
        why = f"{type(said).__name__}: {said}".splitlines()[0].removesuffix(": ")
        raise DatabaseUnreachableError(f"the database can't be reached, or does not let us in ({why})") from error
