"""Rows as the classes of the tables, made without the ORM: the columns as they came, under the names of their attributes."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm.attributes import instance_state
from sqlmodel import SQLModel

Key = tuple[Any, ...]
"""A table, and the values of its primary key."""
_R = TypeVar("_R", bound=SQLModel)


class Columns(NamedTuple):
    """What is read of a table: ``names`` in the order in which they come, ``key`` the places of its primary key among them."""

    table: type[SQLModel]
    names: tuple[str, ...]
    key: tuple[int, ...]

    def key_of(self, values: Sequence[Any]) -> Key | None:
        """None: an outer join found no row."""
        key = tuple(values[place] for place in self.key)
        return None if key[0] is None else (self.table, *key)


@cache
def columns_of(table: type[SQLModel], names: tuple[str, ...] | None = None) -> Columns:
    """All columns of a table, or those with these names."""
    names = names or tuple(sa.select(table).selected_columns.keys())
    return Columns(table, names, tuple(names.index(each) for each in key_names(table)))


@cache
def key_names(table: type[SQLModel]) -> tuple[str, ...]:
    return tuple(column.name for column in sa.inspect(table).primary_key)


def row_of(table: type[_R], values: dict[str, Any]) -> _R:
    """A row that has these values. A column that is not among them raises ``DetachedInstanceError`` when it is asked for."""
    row: _R = _new(table)()
    row.__dict__.update(values)
    if len(values) < len(columns_of(table).names):
        instance_state(row).expired_attributes.update(columns_of(table).names)
    return row


def made(table: type[_R], **values: Any) -> _R:
    """A new row, as ``table(**values)`` makes it, in a tenth of the time: no class of a table validates, so nothing is lost.

    Raises:
        TypeError: a column is missing, or there is none of that name.
    """
    defaults, factories, names = _defaults(table)
    row = row_of(table, {**defaults, **{name: make() for name, make in factories.items() if name not in values}, **values})
    if len(row.__dict__) != len(names) + 1:  # with the ORM's own
        raise TypeError(f"{table.__name__} lacks, or does not have: {sorted(names ^ (values.keys() | defaults.keys()))}")
    return row


@cache
def _defaults(table: type[SQLModel]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]], frozenset[str]]:
    fields = table.model_fields
    factories: Any = {name: field.default_factory for name, field in fields.items() if field.default_factory}
    return {name: field.default for name, field in fields.items() if not field.is_required()}, factories, frozenset(fields)


@cache
def _new(table: type[SQLModel]) -> Any:
    return sa.inspect(table).class_manager.new_instance
