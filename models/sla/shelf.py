"""Definitions of rules, each made a value when somebody first asks for it: a merchant has many versions, and tickets use few."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

_T = TypeVar("_T", bound=BaseModel)
_Key = tuple[int, int]


class Shelf(Mapping[_Key, _T], Generic[_T]):
    """By id and version."""

    def __init__(self, value: type[_T], definitions: dict[_Key, dict[str, Any]]) -> None:
        self._value = value
        self._definitions = definitions
        self._made: dict[_Key, _T] = {}

    def __getitem__(self, key: _Key) -> _T:
        if key not in self._made:
            self._made[key] = self._value.model_validate(self._definitions[key])
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in self._definitions

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)
