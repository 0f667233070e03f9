"""Render what a notification says.

A template (templates/<kind>.j2) holds blocks of plain text: subject, text, quote, action, url (a digest has a list of links instead). They
are rendered without any markup. One layout makes the text part of them, and another makes the HTML part, in which everything is escaped. So
nothing that a person typed is ever HTML, whatever a template does, and nothing that a person typed is ever a template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from models.notifications.kinds import NotificationKind

MAX_SUBJECT: Final = 150
MAX_NAME: Final = 100
MAX_QUOTE: Final = 20_000
MAX_LINE: Final = 1_000
SHORTENED: Final = "[shortened; the whole text is in the ticket]"

_TEMPLATES: Final = Path(__file__).parent / "templates"
_BIDI: Final = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_URL: Final = re.compile(r"https?://[^\s<>\"']+")
_NO_PART_OF_A_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_STORABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str


def render(kind: str, context: Mapping[str, Any]) -> Rendered:
    """Render the e-mail of a ``NotificationKind``.

    Instants in the context are ``datetime`` or RFC 3339 text. Raises ``ValueError`` for an unknown kind or a link that is not
    http(s), and ``jinja2.UndefinedError`` for what the template needs and the context lacks: both are defects of the caller.
    """
    tidy = _one_line_each(context)
    blocks = _blocks(NotificationKind(kind), tidy)
    number, name = f"#{tidy['ticket']['number']}", tidy["recipient"]["name"]
    is_about_one = kind != NotificationKind.DIGEST
    subject = line(f"[{number}] {blocks['subject']}" if is_about_one else blocks["subject"], MAX_SUBJECT)
    parts = {
        "subject": subject,
        "greeting": f"Hello {line(name, MAX_NAME)}," if name else "Hello,",
        "paragraphs": [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", blocks["text"]) if paragraph.strip()],
        "quote": _quoted(blocks.get("quote", "")),
        "listed": [each | {"url": each["url"] and _web_address(each["url"])} for each in tidy["listed"]],
        "action": blocks.get("action", ""),
        "url": "" if tidy["listed"] else _web_address(blocks["url"]),
        "footer": f"{tidy['merchant_name']} · {number}" if is_about_one else tidy["merchant_name"],
    }
    text = _plain().get_template("layout.txt").render(parts)
    return Rendered(subject, text, _html().get_template("layout.html").render(parts))


def line(text: str, limit: int) -> str:
    """Make one line of at most ``limit`` characters: controls and breaks become spaces, marks of the writing direction are dropped."""
    flat = " ".join(_NO_PART_OF_A_LINE.sub(" ", text.translate(_BIDI)).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def storable(text: str) -> str:
    """Drop what no e-mail can carry: lone surrogates, and controls other than tab and line feed."""
    return _NOT_STORABLE.sub("", text.translate(_BIDI))


def _one_line_each(context: Mapping[str, Any]) -> dict[str, Any]:
    """Make one line of every text but ``message``, the comment, so that no name, subject or reason can pose as a paragraph of ours."""
    return {name: value if name == "message" else _flat(value) for name, value in context.items()}


def _flat(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _flat(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_flat(inner) for inner in value]
    return line(value, MAX_LINE) if isinstance(value, str) else value


def _blocks(kind: NotificationKind, context: dict[str, Any]) -> dict[str, str]:
    template = _plain().get_template(f"{kind}.j2")
    inner = template.new_context(context)
    return {name: "".join(block(inner)).strip() for name, block in template.blocks.items()}


def _quoted(text: str) -> list[str]:
    """Split what a person wrote into lines; both layouts set it apart from our own words."""
    lines = [storable(each) for each in text[:MAX_QUOTE].replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")] if text else []
    return [*lines, SHORTENED] if len(text) > MAX_QUOTE else lines


def _web_address(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("a link must be http or https")
    return text


def _instant(value: datetime | str) -> str:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{at.astimezone(UTC):%d %B %Y at %H:%M} UTC"


@cache
def _plain() -> SandboxedEnvironment:
    # Not escaped: it makes plain text only, and the HTML layout escapes what it takes from it.
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES), auto_reload=False, undefined=StrictUndefined, autoescape=False, trim_blocks=True
    )
    environment.filters |= {"instant": _instant, "words": lambda text: str(text).replace("_", " ")}
    return environment


@cache
def _html() -> SandboxedEnvironment:
    return SandboxedEnvironment(loader=FileSystemLoader(_TEMPLATES), auto_reload=False, undefined=StrictUndefined, autoescape=True)
