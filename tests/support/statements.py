"""What the database is asked through SQLAlchemy; what is prepared goes to the driver itself, and is not among it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from tests.support.desk import Desk


class Asked(NamedTuple):
    statement: str
    values: Any


@contextmanager
def statements(desk: Desk) -> Iterator[list[Asked]]:
    """Those of the block, in their order."""
    said: list[Asked] = []

    def listen(*about: Any) -> None:
        said.append(Asked(about[2], about[3]))

    pool = desk.database.engine.sync_engine
    sa.event.listen(pool, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        sa.event.remove(pool, "before_cursor_execute", listen)
