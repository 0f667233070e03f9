"""The base of every frozen value: camelCase outside, snake_case inside, unknown fields refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

_E = TypeVar("_E", bound=StrEnum)

Open = Annotated[_E | str, Field(union_mode="left_to_right")]
"""An enumeration that crosses between releases: a value that only a newer release knows arrives as text, and loses no message."""


@dataclass(frozen=True)
class AtMost:
    """A list or an object with so many items at the most, counted before any of them is looked at.

    pydantic's own ``max_length`` counts what is valid: of a million bad items each gets its error.
    """

    items: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        bounded = handler(Annotated[source, Field(max_length=self.items)])
        return core_schema.no_info_before_validator_function(self._counted, bounded)

    def _counted(self, given: Any) -> Any:
        if isinstance(given, (list, tuple, dict)) and len(given) > self.items:
            kind = "Object" if isinstance(given, dict) else "List"
            raise PydanticKnownError("too_long", {"field_type": kind, "max_length": self.items, "actual_length": len(given)})
        return given


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
