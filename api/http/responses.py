"""How responses are written: camelCase, ids as strings, instants in UTC with Z, durations in whole seconds."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Response
from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from models.platform.addresses import BASE

ID: Final[dict[str, Any]] = {"pattern": "^[1-9][0-9]{0,18}$", "maxLength": 19}
"""How the document says that a text is an id."""
Id = Annotated[int, PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string", **ID})]


class ResponseBody(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, from_attributes=True)


def respond(shown: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(shown.model_dump_json(by_alias=True), status, headers=dict(headers or {}), media_type="application/json")


def location(path: str) -> dict[str, str]:
    """Where what was made is from now on."""
    return {"Location": f"{BASE}{path}"}
