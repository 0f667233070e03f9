"""What the OpenAPI document says of all operations alike: their errors as problems (RFC 9457), and the headers of their responses.

The routes declare what is their own. What follows from an operation's shape (signed in, writing, about one thing) is said here, once.
"""

from typing import Any, Final

from fastapi import FastAPI
from pydantic import Field

from api.http.body import WITH_BODY
from api.http.problems import MEDIA_TYPE
from api.http.responses import ResponseBody
from models.errors import (
    MAX_LISTED,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    HelpdeskError,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from models.tickets.lifecycle import Status

_ERRORS: Final[tuple[type[HelpdeskError], ...]] = (
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Gone,
    PreconditionFailed,
    TooLarge,
    UnsupportedMedia,
    Invalid,
    PreconditionRequired,
    RateLimited,
    Unavailable,
)
_VERSIONED: Final = ("TicketResponse", "MerchantResponse", "CalendarResponse", "PolicyResponse", "LadderResponse")
_OF_A_LIMIT: Final = ("Retry-After", "RateLimit", "RateLimit-Policy")
"""draft-ietf-httpapi-ratelimit-headers-10"""
_OF_THE_FRAMEWORK: Final = ("HTTPValidationError", "ValidationError")
Shape = dict[str, Any]


class Flaw(ResponseBody):
    """One thing that is wrong; ``pointer`` is its JSON pointer in the body (RFC 6901), or the name of a parameter."""

    pointer: str
    code: str
    detail: str


class Problem(ResponseBody):
    """An error (RFC 9457). ``code`` is stable and for programs, ``detail`` for people.

    ``errors`` come with 422, and ``errorsOmitted`` if there are more than 50; ``allowedTransitions`` with a transition that is not
    possible, ``current`` with 412.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[Flaw] = Field(default_factory=list, max_length=MAX_LISTED)
    errors_omitted: int = 0
    allowed_transitions: list[Status] = Field(default_factory=list)
    current: dict[str, Any] = Field(default_factory=dict)


class Described(FastAPI):
    """An app whose document says it."""

    def openapi(self) -> Shape:
        if self.openapi_schema is None:
            self.openapi_schema = _described(super().openapi())
        return self.openapi_schema


def _described(document: Shape) -> Shape:
    components = document["components"]
    for name in _OF_THE_FRAMEWORK:
        components["schemas"].pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] = dict(sorted({**components["schemas"], **problem.pop("$defs"), "Problem": problem}.items()))
    components |= {"headers": _headers(), "responses": {each.__name__: _response(each) for each in _ERRORS}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe(method, path, operation)
    return document


def _describe(method: str, path: str, operation: Shape) -> None:
    operation["responses"].pop("422", None)  # the framework's own, in its own shape
    for response in operation["responses"].values():
        response["headers"] = {name: _ref("headers", name) for name in ("X-Request-Id", *(["ETag"] if _is_versioned(response) else []))}
    operation["responses"] |= {str(each.status): _ref("responses", each.__name__) for each in _errors(method, path, operation)}


def _errors(method: str, path: str, operation: Shape) -> list[type[HelpdeskError]]:
    """Those that an operation of this shape may answer with."""
    is_signed_in, sends, parameters = "security" in operation, method.upper() in WITH_BODY, operation.get("parameters", [])
    if_match = [each["required"] for each in parameters if each["name"] == "If-Match"]
    applies = {
        BadRequest: is_signed_in or sends,
        Unauthenticated: is_signed_in,
        Forbidden: is_signed_in,
        NotFound: is_signed_in or "{" in path,
        Conflict: method != "get",
        Gone: sends and "surveys" in operation["tags"],
        PreconditionFailed: bool(if_match),
        TooLarge: sends,
        UnsupportedMedia: sends,
        Invalid: sends or any(each["in"] == "query" or (each["in"] == "path" and "maxLength" in each["schema"]) for each in parameters),
        PreconditionRequired: any(if_match),
        RateLimited: "health" not in operation["tags"],
        Unavailable: "health" not in operation["tags"],  # a probe says it in its own shape
    }
    return [each for each in _ERRORS if applies[each]]


def _is_versioned(response: Shape) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return any(schema.get("$ref", "").endswith(f"/{name}") for name in _VERSIONED)


def _response(error: type[HelpdeskError]) -> Shape:
    content = {MEDIA_TYPE: {"schema": _ref("schemas", "Problem")}}
    names = ("X-Request-Id", *(_OF_A_LIMIT if error is RateLimited else ()))
    return {"description": error.title, "headers": {name: _ref("headers", name) for name in names}, "content": content}


def _headers() -> Shape:
    text = {"type": "string"}
    return {
        "X-Request-Id": {"description": "the request's id: the client's own, if it sent a good one", "schema": text},
        "ETag": {"description": "the version, strong; what If-Match takes", "schema": text},
        "Retry-After": {"description": "the seconds after which the same request is taken", "schema": {"type": "integer", "minimum": 1}},
        "RateLimit": {"description": "the limit that was reached, r: what is left of it, t: seconds until there is more", "schema": text},
        "RateLimit-Policy": {"description": "that limit; q: how much may be asked, w: in so many seconds", "schema": text},
    }


def _ref(kind: str, name: str) -> Shape:
    return {"$ref": f"#/components/{kind}/{name}"}
