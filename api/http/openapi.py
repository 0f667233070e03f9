"""What the OpenAPI document says of all operations alike: the headers that they take, and their errors as problems (RFC 9457).

The routes say what is their own. What follows from an operation's shape (signed in, writing, about one thing) is said here, once.
"""

from typing import Any, Final

from fastapi import FastAPI
from pydantic import Field

from api.http.problems import MEDIA_TYPE
from api.tickets.responses import View
from models.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    HelpdeskError,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
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
    Unavailable,
)
_VERSIONED: Final = ("TicketView", "MerchantView")
_OF_THE_FRAMEWORK: Final = ("HTTPValidationError", "ValidationError")
Shape = dict[str, Any]


class Flaw(View):
    """One thing that is wrong; ``pointer`` is its JSON pointer in the body (RFC 6901), or the name of a parameter."""

    pointer: str
    code: str
    detail: str


class Problem(View):
    """An error (RFC 9457). ``code`` is stable and for programs, ``detail`` for people.

    ``errors`` come with 422, ``allowedTransitions`` with a move that is not possible, ``current`` with 412.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[Flaw] = Field(default_factory=list)
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
    components |= {"headers": _headers(), "parameters": _parameters(), "responses": {each.__name__: _response(each) for each in _ERRORS}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe(method, path, operation)
    return document


def _describe(method: str, path: str, operation: Shape) -> None:
    operation["responses"].pop("422", None)  # the framework's own, in its own shape
    for response in operation["responses"].values():
        response["headers"] = {name: _ref("headers", name) for name in ("X-Request-Id", *(["ETag"] if _is_versioned(response) else []))}
    operation["responses"] |= {str(each.status): _ref("responses", each.__name__) for each in _errors(method, path, operation)}
    taken = [_ref("parameters", name) for name in _taken(method, path, operation)]
    if taken:
        operation["parameters"] = [*operation.get("parameters", []), *taken]


def _errors(method: str, path: str, operation: Shape) -> list[type[HelpdeskError]]:
    """Those that an operation of this shape may answer with."""
    is_signed_in, sends = "security" in operation, method in ("post", "put", "patch")
    applies = {
        BadRequest: is_signed_in or sends,
        Unauthenticated: is_signed_in,
        Forbidden: is_signed_in,
        NotFound: is_signed_in or "{" in path,
        Conflict: method != "get",
        Gone: sends and "surveys" in operation["tags"],
        PreconditionFailed: _takes_match(method, path),
        TooLarge: sends,
        UnsupportedMedia: sends,
        Invalid: sends or any(each["in"] == "query" or "maxLength" in each["schema"] for each in operation.get("parameters", [])),
        PreconditionRequired: _needs_match(method, path),
        Unavailable: "health" not in operation["tags"],  # a probe says it in its own shape
    }
    return [each for each in _ERRORS if applies[each]]


def _taken(method: str, path: str, operation: Shape) -> list[str]:
    applies = {
        "X-Request-Id": True,
        "X-Merchant-Id": "security" in operation,
        "Idempotency-Key": method == "post",
        "If-Match-Required": _needs_match(method, path),
        "If-Match": _takes_match(method, path) and not _needs_match(method, path),
    }
    return [name for name, is_taken in applies.items() if is_taken]


def _needs_match(method: str, path: str) -> bool:
    return method == "patch" and path.endswith("/tickets/{ticket_id}")


def _takes_match(method: str, path: str) -> bool:
    """Whatever changes a ticket, and the edit of a merchant."""
    return method == "patch" or (method != "get" and "/tickets/{ticket_id}" in path)


def _is_versioned(response: Shape) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return any(schema.get("$ref", "").endswith(f"/{name}") for name in _VERSIONED)


def _response(error: type[HelpdeskError]) -> Shape:
    content = {MEDIA_TYPE: {"schema": _ref("schemas", "Problem")}}
    return {"description": error.title, "headers": {"X-Request-Id": _ref("headers", "X-Request-Id")}, "content": content}


def _headers() -> Shape:
    text = {"type": "string"}
    return {
        "X-Request-Id": {"description": "the request's id: the client's own, if it sent a good one", "schema": text},
        "ETag": {"description": "the version, strong; what If-Match takes", "schema": text},
    }


def _parameters() -> Shape:
    match = "the ETag of the version that the client saw; of another one nothing is changed (412)"
    return {
        "X-Request-Id": _header("X-Request-Id", "an id of the client's own for this request", pattern="^[A-Za-z0-9._-]{1,128}$"),
        "X-Merchant-Id": _header("X-Merchant-Id", "the merchant to act for; needed with a token that is good for several"),
        "Idempotency-Key": _header(
            "Idempotency-Key", "the same key and body within 24 hours get the first answer again", minLength=1, maxLength=255
        ),
        "If-Match": _header("If-Match", match),
        "If-Match-Required": _header("If-Match", match) | {"required": True},
    }


def _header(name: str, description: str, **bounds: Any) -> Shape:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string", **bounds}}


def _ref(kind: str, name: str) -> Shape:
    return {"$ref": f"#/components/{kind}/{name}"}
