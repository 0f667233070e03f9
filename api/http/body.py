"""A request's body: read within its bounds, parsed once, and judged before anything is looked up for it.

JSON as RFC 8259 and I-JSON (RFC 7493) mean it: what could be read in two ways, or can't be stored, is refused.
"""

import asyncio
import re
from math import isinf
from typing import Any, NoReturn

import jiter
from fastapi import Request
from fastapi.exceptions import RequestValidationError

from api.http import unknown
from api.http.problems import CLOSE, MAX_BODY, SMALL_BODY
from models.errors import BadRequest, Invalid, UnsupportedMedia
from models.platform.addresses import BASE

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose body is read."""
BODY_SECONDS = 20
MAX_DEPTH = 32
MAX_VALUES = 25_000
"""Keys and values of a whole body: the largest calendar has fewer, and whatever is wrong with so many is found in a moment."""
_LONG = re.compile(r"(/portal)?/tickets(/[^/]+(/messages|/notes)?)?|/(calendars|sla-policies|escalation-ladders)(/.*)?")
"""The paths below the base whose bodies hold long texts, or a whole definition."""
_CODES = {
    "Detected duplicate key": ("duplicate_key", "An object has the same key twice."),
    "recursion limit": ("too_deep", f"The body is nested more than {MAX_DEPTH} deep."),
    "hex escape": ("invalid_text", "A text holds half of a surrogate pair."),
    "invalid unicode": ("invalid_utf8", "The body is not valid UTF-8."),
}
"""By what jiter says; each has its test."""


class BodyRequest(Request):
    """A request whose body is here. ``content`` is what it says: the model of its route, or plain values; bytes if it is no JSON."""

    content: Any = b""

    async def json(self) -> Any:
        """FastAPI asks for it, and finds what was parsed and validated already."""
        return self.content


def max_bytes(path: str) -> int:
    """How large a body is read at this path, or by the route of this template."""
    return MAX_BODY if _LONG.fullmatch(path.removeprefix(BASE)) else SMALL_BODY


async def read(request: Request, field: Any = None) -> BodyRequest:
    """Read the whole body. ``field`` is the route's parameter for it, if it has one.

    Raises:
        BadRequest: it takes longer than 20 s. Invalid: it is no JSON of ours. RequestValidationError: it is not what the route takes.
        UnsupportedMedia: it does not say that it is JSON.
        ClientDisconnect: the client went away before its end.
    """
    whole = BodyRequest(request.scope, request.receive)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await whole.body()
    except TimeoutError:
        detail = f"The body did not arrive within {BODY_SECONDS} seconds: send it whole, and at once."
        raise BadRequest(detail, code="body_timeout", headers=CLOSE) from None
    is_json = _is_json(request.headers.get("content-type", ""))
    if body and field is not None and not is_json:
        raise UnsupportedMedia("The body does not say that it is JSON: send Content-Type: application/json.")
    if body:
        whole.content = parse(body) if is_json else body
    if field is not None:
        whole.content = _validated(field, whole.content, body)
    return whole


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _validated(field: Any, content: Any, body: bytes) -> Any:
    """The model, so that what is invalid neither opens a transaction nor locks a row. FastAPI takes a model as it is."""
    if not body and not field.field_info.is_required():
        return None
    validated, errors = field.validate(content, loc=("body",))
    if errors and not body:
        errors = [{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}]
    if errors:
        raise RequestValidationError(unknown.named(errors, field.field_info.annotation))
    return validated


def parse(body: bytes) -> Any:
    """Refuse invalid UTF-8, duplicate keys, NaN and infinities, NUL and lone surrogates, and more than 32 levels.

    Raises:
        Invalid: with the code of what is wrong.
    """
    try:
        content = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        _explain(body, str(error))
    _require_storable(content)
    return content


def _explain(body: bytes, why: str) -> NoReturn:
    for words, (code, detail) in _CODES.items():
        if words in why:
            _refuse(code, detail)
    try:
        body.decode()
    except UnicodeDecodeError:
        _refuse("invalid_utf8", "The body is not valid UTF-8.")
    _refuse("invalid_json", f"The body is not valid JSON: {why}.")


def _require_storable(content: Any) -> None:
    level, depth, values = [content], 0, 0
    while level:
        depth += 1
        values += len(level)
        if depth > MAX_DEPTH:
            _refuse("too_deep", f"The body is nested more than {MAX_DEPTH} deep.")
        if values > MAX_VALUES:
            _refuse("too_many_values", f"The body has more than {MAX_VALUES} keys and values: send less at once.")
        level = _children(level)


def _children(level: list[Any]) -> list[Any]:
    """What is in the lists and objects of a level. One loop for all of it: a body of a mebibyte holds up every other request."""
    children: list[Any] = []
    for node in level:
        kind = type(node)
        if kind is str:
            if "\0" in node:
                _refuse("invalid_text", "A text holds NUL.")
        elif kind is dict:
            children.extend(node)
            children.extend(node.values())
        elif kind is list:
            children.extend(node)
        elif kind is float and isinf(node):
            # 1e400 is good JSON, but no number that a float can hold: it would be stored as infinity, which is no JSON.
            _refuse("invalid_json", "The body is not valid JSON: a number is too large to be kept.")
    return children


def _refuse(code: str, detail: str) -> NoReturn:
    raise Invalid(code, detail, "")
