"""What the OpenAPI document says of all operations alike: their errors as problems (RFC 9457), the headers of their responses, an example.

The routes declare what is their own. What follows from an operation's shape (signed in, writing, about one thing) is said here, once.
"""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from pydantic import Field

from api.http.body import WITH_BODY
from api.http.examples import TAGS, example_of
from api.http.headers import REQUEST_ID
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
from models.platform.addresses import BASE
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
_HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-Id": ("the request's id: the client's own, if it sent a good one", REQUEST_ID),
    "ETag": ("the version, strong; what If-Match takes", {"pattern": '^"[^"]+"$'}),
    "Location": ("where what was made is from now on", {"pattern": "^/"}),
    "Link": ("the address of the next page, with rel=next (RFC 8288); none on the last one", {}),
    "Idempotent-Replayed": ("true: the stored response to an earlier request with this Idempotency-Key", {"enum": ["true"]}),
    "Retry-After": ("seconds after which the same request may come again", {"pattern": "^[0-9]+$"}),
    "RateLimit": ("the limit that was reached, r: what is left of it, t: seconds until there is more", {}),
    "RateLimit-Policy": ("that limit; q: how much may be asked, w: in so many seconds", {}),
    "WWW-Authenticate": ("the scheme, and what is wrong with the token (RFC 6750)", {}),
}
_OF_ERRORS: Final[dict[type[HelpdeskError], tuple[str, ...]]] = {
    Unauthenticated: ("WWW-Authenticate",),
    Conflict: ("Retry-After",),
    RateLimited: _OF_A_LIMIT,
    Unavailable: ("Retry-After",),
}
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
    shapes = {**components["schemas"], **problem.pop("$defs"), "Problem": problem}
    shapes |= dict(filter(None, (_named_body(each) for verbs in document["paths"].values() for each in verbs.values())))
    components["schemas"] = dict(sorted(shapes.items()))
    components |= {"headers": _headers(), "responses": {each.__name__: _response(each) for each in _ERRORS}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe(method, path, operation)
    described = [{"name": name, "description": text} for name, text in TAGS.items()]
    return document | {"servers": [{"url": "/", "description": "where this document is served"}], "tags": described}


def _named_body(operation: Shape) -> tuple[str, Shape] | None:
    """The shape that a route tells of a body which it reads itself: referred to by its name, like all others."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    shape = content.get("schema", {})
    if "title" not in shape or "properties" not in shape:
        return None
    content["schema"] = _ref("schemas", shape["title"])
    return shape["title"], shape


def _describe(method: str, path: str, operation: Shape) -> None:
    operation["responses"].pop("422", None)  # the framework's own, in its own shape
    _leave_out_null(operation.get("requestBody", {}))
    _exemplify(operation.get("requestBody", {}))
    for status, response in operation["responses"].items():
        response["headers"] = _named("X-Request-Id", *_headers_of(method, status, response))
        _exemplify(response)
    operation["responses"] |= {str(each.status): _ref("responses", each.__name__) for each in _errors(method, path, operation)}


def _headers_of(method: str, status: str, response: Shape) -> Iterable[str]:
    names = _schemas(response)
    applies = {
        "ETag": any(name in _VERSIONED for name in names),
        "Location": status in ("201", "202"),
        "Link": any(name.startswith("Page_") for name in names),
        "Idempotent-Replayed": method == "post",
    }
    return (name for name, is_so in applies.items() if is_so)


def _leave_out_null(body: Shape) -> None:
    """A body that may be left out is no null: a generated client would send one."""
    for content in body.get("content", {}).values():
        shapes = [each for each in content["schema"].get("anyOf", ()) if each.get("type") != "null"]
        if len(shapes) == 1:
            content["schema"] = shapes[0]


def _exemplify(said: Shape) -> None:
    """Of what may have several shapes, the first has an example."""
    for name in _schemas(said)[:1]:
        said["content"]["application/json"]["example"] = example_of(name)


def _schemas(said: Shape) -> list[str]:
    """The names of the shapes that a body may have."""
    schema = said.get("content", {}).get("application/json", {}).get("schema", {})
    return [each["$ref"].rpartition("/")[2] for each in (schema, *schema.get("anyOf", ())) if "$ref" in each]


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
        Invalid: sends or any(_is_judged(each) for each in parameters),
        PreconditionRequired: any(if_match),
        RateLimited: "health" not in operation["tags"],
        Unavailable: "health" not in operation["tags"],  # a probe says it in its own shape
    }
    return [each for each in _ERRORS if applies[each]]


def _is_judged(parameter: Shape) -> bool:
    """An id that can't be one is no error of the request: there is nothing of that name."""
    return parameter["in"] == "query" or (parameter["in"] == "path" and "pattern" not in parameter["schema"])


def _response(error: type[HelpdeskError]) -> Shape:
    content = {MEDIA_TYPE: {"schema": _ref("schemas", "Problem"), "example": _example(error)}}
    return {"description": error.title, "headers": _named("X-Request-Id", *_OF_ERRORS.get(error, ())), "content": content}


def _example(error: type[HelpdeskError]) -> Shape:
    return {
        "type": f"urn:helpdesk:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.title,
        "instance": f"{BASE}/tickets",
        "code": error.code,
        "requestId": "b1c2d3e4f5a60718",
        **({"errors": [{"pointer": "/subject", "code": "missing", "detail": "Field required"}]} if error is Invalid else {}),
    }


def _headers() -> Shape:
    return {name: {"description": text, "schema": {"type": "string", **bounds}} for name, (text, bounds) in _HEADERS.items()}


def _named(*headers: str) -> Shape:
    return {name: _ref("headers", name) for name in headers}


def _ref(kind: str, name: str) -> Shape:
    return {"$ref": f"#/components/{kind}/{name}"}
