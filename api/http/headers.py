"""The headers that operations take, declared: the OpenAPI document tells them by itself.

What they may hold is said here for the document and judged where they are read: a bad one has a status and a code of its own.
"""

import re
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import Header
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema

from api.http.responses import ID
from models.errors import BadRequest

_ETAG: Final = re.compile(r'\*|(W/)?"[^"]*"')

Text = str | SkipJsonSchema[None]
REQUEST_ID: Final[dict[str, Any]] = {"pattern": "^[A-Za-z0-9._-]{1,128}$"}
_KEY: Final[dict[str, Any]] = {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"}
_TAGS: Final[dict[str, Any]] = {"pattern": r'^(\*|(W/)?"[^"]*"( *, *(W/)?"[^"]*")*)$', "examples": ['"3"']}
_MATCH: Final = "the ETag of the version that the client saw; of another one nothing is changed (412)"

RequestId = Annotated[
    Text, Header(alias="X-Request-Id", description="an id of the client's own for this request", json_schema_extra=REQUEST_ID)
]
MerchantId = Annotated[
    Text,
    Header(
        alias="X-Merchant-Id", description="the merchant to act for; needed with a token that is good for several", json_schema_extra=ID
    ),
]
IdempotencyKey = Annotated[
    Text,
    Header(
        alias="Idempotency-Key",
        description="the same key and body within 24 hours get the first response again",
        json_schema_extra=_KEY,
    ),
]
IfMatch = Annotated[Text, Header(alias="If-Match", description=_MATCH, json_schema_extra=_TAGS)]
NeededIfMatch = Annotated[str, Header(alias="If-Match", description=_MATCH, json_schema_extra=_TAGS)]
"""Without it the request is answered with 428: see api/http/problems.py."""


def etag(version: int) -> str:
    return f'"{version}"'


def etag_of(shown: BaseModel) -> str:
    """For what has no version: what is shown of it stands for one."""
    return f'"{sha256(shown.model_dump_json().encode()).hexdigest()[:16]}"'


def matches(if_match: str | None, tag: str) -> bool:
    """RFC 9110, 13.1.1: any of the list, compared strongly; ``*`` is any version, and so is no header.

    Raises:
        BadRequest: it is no list of ETags.
    """
    given = ["*"] if if_match is None else [each.strip() for each in if_match.split(",")]
    if not all(_ETAG.fullmatch(each) for each in given):
        raise BadRequest('If-Match takes an ETag as it came, with its quotes, like If-Match: "7".', code="if_match_invalid")
    return "*" in given or tag in given


async def takes_request_id(_request_id: RequestId = None) -> None:
    """For the routes that take nothing else: read by the middleware."""


async def takes_idempotency_key(_key: IdempotencyKey = None) -> None:
    """Read by the route before all else: see api/http/transaction.py."""
