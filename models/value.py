"""The base of every frozen value: camelCase outside, snake_case inside, unknown fields refused."""

from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_E = TypeVar("_E", bound=StrEnum)

Open = Annotated[_E | str, Field(union_mode="left_to_right")]
"""An enumeration that crosses between releases: a value that only a newer release knows arrives as text, and loses no message."""


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
