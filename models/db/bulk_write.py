"""What a change writes, as one statement: rows travel as JSON documents, and data-modifying CTEs take them in.

The database prepares a statement for each of its shapes on each connection. So that they stay few, the shape does not depend on an order
that means nothing; and the columns that a table calls ``together`` go out whenever one of its row's moved. Such a row is changed under a
lock, so nothing of anybody else's is overwritten.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]
_Document = dict[str, Any]


class Shape(NamedTuple):
    """The columns that are written of rows of a table, without the key."""

    table: str
    columns: tuple[str, ...]


def moved_rows(rows: Iterable[tuple[SQLModel, Mapping[str, Any]]]) -> dict[Shape, list[_Document]]:
    """Of rows, each with the values as they were read, those that changed. A value that was replaced by an equal one did not."""
    moved: dict[Shape, list[_Document]] = defaultdict(list)
    for row, as_read in rows:
        now, table = row.__dict__, SQLModel.metadata.tables[str(row.__tablename__)]
        columns = {name for name, was in as_read.items() if _differs(now[name], was)}
        if columns:
            columns |= table.info.get("together", set()) & as_read.keys()
            moved[Shape(table.name, tuple(sorted(columns)))].append({name: now[name] for name in (*_key(table.name), *columns)})
    return moved


def statement(moved: Mapping[Shape, Sequence[_Document]], new: Mapping[str, Sequence[_Document]]) -> tuple[str, list[str]]:
    """The statement that writes all of it, with its parameters. It answers with how many rows it moved."""
    shapes, tables = tuple(sorted(moved)), tuple(sorted(new))
    return _text(shapes, tables), [_as_json(moved[shape]) for shape in shapes] + [_as_json(new[table]) for table in tables]


def _differs(value: object, was: object) -> bool:
    """A document that was replaced is another one: 1 and true are equal in Python and two values in JSON."""
    return value is not was and (value != was or isinstance(value, (dict, list)))


def _as_json(rows: Sequence[_Document]) -> str:
    """Durations in seconds: ISO 8601 makes a year of 365 days, and PostgreSQL another one of that."""
    return to_json(rows, timedelta_mode="float").decode()


@cache
def _key(name: str) -> tuple[str, ...]:
    return tuple(column.name for column in SQLModel.metadata.tables[name].primary_key)


@lru_cache(512)
def _text(moved: tuple[Shape, ...], new: tuple[str, ...]) -> str:
    parts = [f"moved_{place} AS ({_update(place, shape)})" for place, shape in enumerate(moved, 1)]
    parts += [f'"new_{table}" AS ({_insert(place, table)})' for place, table in enumerate(new, len(moved) + 1)]
    counts = " + ".join(f"(SELECT count(*) FROM moved_{place})" for place in range(1, len(moved) + 1))  # noqa: S608 - our own names
    return f"WITH {', '.join(parts)} SELECT {counts or 0}"


def _update(place: int, shape: Shape) -> str:
    name, table, key = shape.table, SQLModel.metadata.tables[shape.table], _key(shape.table)
    typed = ", ".join(f'"{column}" {table.columns[column].type.compile(_POSTGRES)}' for column in (*key, *shape.columns))
    values = ", ".join(f'"{column}" = moved."{column}"' for column in shape.columns)
    same = " AND ".join(f'"{name}"."{column}" = moved."{column}"' for column in key)
    return f'UPDATE "{name}" SET {values} FROM jsonb_to_recordset(${place}::jsonb) AS moved ({typed}) WHERE {same} RETURNING 1'  # noqa: S608 - our own names


def _insert(place: int, name: str) -> str:
    table = SQLModel.metadata.tables[name]
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)
    inserted = f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::"{name}", ${place}::jsonb)'  # noqa: S608 - our own names
    if "replaces" not in table.info:
        return inserted
    newest = ", ".join(f'"{column.name}" = excluded."{column.name}"' for column in table.columns if not column.primary_key)
    return f"{inserted} ON CONFLICT ({', '.join(_key(name))}) DO UPDATE SET {newest}"
