"""JSON as RFC 8259 and I-JSON (RFC 7493) mean it: what could be read in two ways, or can't be stored, is refused."""

import json
from math import isinf
from typing import Any, NoReturn

from models.errors import Invalid

MAX_DEPTH = 32


def check(body: bytes) -> None:
    """Refuse invalid UTF-8, duplicate keys, NaN and infinities, NUL and lone surrogates, and absurd nesting.

    Raises:
        Invalid: with the code of what is wrong.
    """
    try:
        content = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError:
        _refuse("invalid_utf8", "The body is not valid UTF-8.")
    except RecursionError:
        _refuse("too_deep", "The body is nested too deeply.")
    except ValueError as error:
        where = f": {error}" if isinstance(error, json.JSONDecodeError) else "."
        _refuse("invalid_json", f"The body is not valid JSON{where}")
    _walk(content)


def _walk(content: Any) -> None:
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            _refuse("too_deep", f"The body is nested more than {MAX_DEPTH} deep.")
        level = [child for node in level for child in _children(node)]


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [*node.keys(), *node.values()]
    if isinstance(node, list):
        return node
    if isinstance(node, str) and not _is_storable(node):
        _refuse("invalid_text", "A text holds NUL or half of a surrogate pair.")
    return []


def _is_storable(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("duplicate_key", "An object has the same key twice.")
    return found


def _finite(number: str) -> float:
    """1e400 is good JSON, but no number that a float can hold: it would be stored as infinity, which is no JSON."""
    if isinf(found := float(number)):
        _no_constant(number)
    return found


def _no_constant(name: str) -> NoReturn:
    _refuse("invalid_json", f"{name[:40]} is no number that can be kept.")


def _refuse(code: str, detail: str) -> NoReturn:
    raise Invalid(code, detail, "")
