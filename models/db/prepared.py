"""Statements that are made once: compiled by SQLAlchemy when they are first run, and sent by the driver itself.

A statement that is built anew for each request goes through SQLAlchemy's connection instead. See docs/decisions.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlmodel import SQLModel
from typing_extensions import TypeVarTuple

from models.db.rows import Columns, columns_of

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]
_FLOAT8 = 701
"""PostgreSQL's number of ``double precision``: only the types of numbers ask what came, and we have no other column of them."""
_Ts = TypeVarTuple("_Ts")
_Change = Callable[[Any], Any]


class Part(NamedTuple):
    """What stands at ``start`` to ``end`` of the values that came: a row of a table, or one value."""

    name: str
    start: int
    end: int
    columns: Columns | None
    is_anew: bool


class _Value(NamedTuple):
    """A value that goes out: named by the caller, or a literal of the statement."""

    name: str | None
    literal: Any
    change: _Change | None


class Prepared(Generic[*_Ts]):
    """A statement whose values are all named, or literals; as a text it names them like ``:this``.

    ``parts`` is what it returns, and where that stands.
    """

    def __init__(self, statement: TypedReturnsRows[*_Ts] | str) -> None:
        self.statement = sa.text(statement) if isinstance(statement, str) else statement

    @cached_property
    def sql(self) -> str:
        return str(self._compiled)

    @cached_property
    def parts(self) -> tuple[Part, ...] | None:
        """None: a text. Only its result tells what there is."""
        return parts_of(self.statement, None)

    def values(self, said: Mapping[str, Any]) -> list[Any]:
        """What goes out, in its order. Raises: KeyError: a value is not there."""
        return [
            each.literal if each.name is None else said[each.name] if each.change is None else each.change(said[each.name])
            for each in self._values
        ]

    def came(self, record: Sequence[Any]) -> Sequence[Any]:
        """The values of a record, as the columns' types have them."""
        if not self._changes:
            return record
        values = list(record)
        for place, change in self._changes:
            values[place] = change(values[place])
        return values

    @cached_property
    def _compiled(self) -> Any:
        compiled: Any = self.statement.compile(dialect=_DIALECT)
        if any(bind.expanding for bind in compiled.binds.values()):
            raise TypeError("IN has as many values as it is given when it is run: write = ANY, or IN of expressions")
        return compiled

    @cached_property
    def _values(self) -> tuple[_Value, ...]:
        return tuple(self._value(name) for name in self._compiled.positiontup or ())

    def _value(self, name: str) -> _Value:
        bind = self._compiled.binds[name]
        change = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
        literal = change(bind.effective_value) if bind.unique and change else bind.effective_value
        return _Value(None, literal, None) if bind.unique else _Value(bind.key, None, change)

    @cached_property
    def _changes(self) -> tuple[tuple[int, _Change], ...]:
        if not isinstance(self.statement, sa.Select):
            return ()
        types = [column.type.dialect_impl(_DIALECT) for column in self.statement.selected_columns]
        changes = [(place, type_.result_processor(_DIALECT, _FLOAT8)) for place, type_ in enumerate(types)]
        return tuple((place, change) for place, change in changes if change is not None)


class Asked(NamedTuple, Generic[*_Ts]):
    """A statement with its values."""

    statement: Prepared[*_Ts]
    values: Mapping[str, Any]


def parts_of(statement: Any, result: sa.CursorResult[Any] | None) -> tuple[Part, ...] | None:
    """Where what a statement returns stands; None if it is its ``result`` that tells. Without one rows are whole.

    A row may come without some columns: those that ``defer`` and ``load_only`` leave out.
    """
    if not isinstance(statement, sa.Select):
        return None
    described = statement.column_descriptions
    if result is not None and not any(isinstance(each["type"], type) for each in described):
        return None
    came, options = None if result is None else tuple(result.keys()), statement.get_execution_options()
    parts: list[Part] = []
    for each in described:
        start = parts[-1].end if parts else 0
        columns = _columns(each["type"], None if came is None else came[start:]) if isinstance(each["type"], type) else None
        parts.append(Part(str(each["name"]), start, start + (len(columns.names) if columns else 1), columns, _is_anew(options, each)))
    return tuple(parts)


def _columns(table: type[SQLModel], came: Sequence[str] | None) -> Columns:
    whole = columns_of(table)
    if came is None or came[: len(whole.names)] == whole.names:
        return whole
    names: list[str] = []
    for name in whole.names:
        if len(names) < len(came) and _is_named(came[len(names)], name):
            names.append(name)
    return columns_of(table, tuple(names))


def _is_named(came: str, name: str) -> bool:
    """SQLAlchemy tells columns of one name apart by a number."""
    return came == name or (came.startswith(f"{name}_") and came[len(name) + 1 :].isdigit())


def _is_anew(options: Mapping[str, Any], described: Any) -> bool:
    """Whether a row that was read before is to be as it stands now."""
    return bool(options.get("populate_existing")) and options.get("anew_of") in {None, described["type"]}
