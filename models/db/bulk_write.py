"""What a change writes, as one statement: rows travel as JSON documents, and data-modifying CTEs take them in.

The database prepares a statement for each of its shapes on each connection. So that they stay few, the shape does not depend on an order
that means nothing; and the columns that a table calls ``together`` go out whenever one of its row's moved. Such a row is changed under a
lock, so nothing of anybody else's is overwritten.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]
_Document = dict[str, Any]


class Shape(NamedTuple):
    """The columns that are written of rows of a table, without the key."""

    table: str
    columns: tuple[str, ...]


def moved_rows(rows: Iterable[SQLModel]) -> dict[Shape, list[_Document]]:
    """Of loaded rows those that changed: a value that was replaced by an equal one did not, a document may have."""
    moved: dict[Shape, list[_Document]] = defaultdict(list)
    for row in rows:
        state, table = sa.inspect(row), SQLModel.metadata.tables[str(row.__tablename__)]
        columns = {name for name, was in state.committed_state.items() if _differs(state.dict[name], was)}
        if columns:
            columns |= table.info.get("together", set()) & state.dict.keys()
            moved[Shape(table.name, tuple(sorted(columns)))].append({name: state.dict[name] for name in (*_key(table.name), *columns)})
    return moved


def statement(moved: Mapping[Shape, Sequence[_Document]], new: Mapping[str, Sequence[_Document]]) -> tuple[sa.TextClause, _Document]:
    """The statement that writes all of it, with its parameters. It answers with how many rows it moved."""
    shapes, tables = tuple(sorted(moved)), tuple(sorted(new))
    documents = {f"moved_{place}": _as_json(moved[shape]) for place, shape in enumerate(shapes)}
    return _text(shapes, tables), documents | {table: _as_json(new[table]) for table in tables}


def _differs(value: object, was: object) -> bool:
    return value != was or isinstance(value, (dict, list))  # 1 and true are equal in Python and two values in JSON


def _as_json(rows: Sequence[_Document]) -> str:
    """Durations in seconds: ISO 8601 makes a year of 365 days, and PostgreSQL another one of that."""
    return to_json(rows, timedelta_mode="float").decode()


@cache
def _key(name: str) -> tuple[str, ...]:
    return tuple(column.name for column in SQLModel.metadata.tables[name].primary_key)


@lru_cache(512)
def _text(moved: tuple[Shape, ...], new: tuple[str, ...]) -> sa.TextClause:
    parts = [f"moved_{place} AS ({_update(place, shape)})" for place, shape in enumerate(moved)]
    parts += [f'"new_{table}" AS ({_insert(table)})' for table in new]
    counts = " + ".join(f"(SELECT count(*) FROM moved_{place})" for place in range(len(moved)))  # noqa: S608 - our own names
    return sa.text(f"WITH {', '.join(parts)} SELECT {counts or 0}")


def _update(place: int, shape: Shape) -> str:
    name, table, key = shape.table, SQLModel.metadata.tables[shape.table], _key(shape.table)
    typed = ", ".join(f'"{column}" {table.columns[column].type.compile(_POSTGRES)}' for column in (*key, *shape.columns))
    values = ", ".join(f'"{column}" = moved."{column}"' for column in shape.columns)
    same = " AND ".join(f'"{name}"."{column}" = moved."{column}"' for column in key)
    return (
        f'UPDATE "{name}" SET {values} FROM jsonb_to_recordset(CAST(:moved_{place} AS jsonb)) AS moved ({typed}) WHERE {same} RETURNING 1'  # noqa: S608 - our own names
    )


def _insert(name: str) -> str:
    table = SQLModel.metadata.tables[name]
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.computed is None)
    inserted = f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::"{name}", CAST(:{name} AS jsonb))'  # noqa: S608 - our own names
    if "replaces" not in table.info:
        return inserted
    newest = ", ".join(f'"{column.name}" = excluded."{column.name}"' for column in table.columns if not column.primary_key)
    return f"{inserted} ON CONFLICT ({', '.join(_key(name))}) DO UPDATE SET {newest}"
