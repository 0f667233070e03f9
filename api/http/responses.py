"""How responses are written: camelCase, ids as strings, instants in UTC with Z, durations in whole seconds."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

BASE = "/v1/api/helpdesk"
Id = Annotated[int, PlainSerializer(str, return_type=str)]


class ResponseBody(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, from_attributes=True)


def respond(shown: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(shown.model_dump_json(by_alias=True), status, headers=dict(headers or {}), media_type="application/json")


def location(path: str) -> dict[str, str]:
    """Where what was made is from now on."""
    return {"Location": f"{BASE}{path}"}
