"""Compose an e-mail (RFC 5322) of what was rendered. Its head is written here, octet by octet, and read again before it leaves.

``EmailMessage`` parses what is assigned to a header, and so decodes the encoded words (RFC 2047) that a person typed into header lines
of their own. Nothing here parses: what a person typed stands in the head as it is, or as encoded words of ours. The library makes the
MIME parts only, whose headers hold no word of anybody.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from email.headerregistry import BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Final

from activities.email.render import MAX_NAME, MAX_SUBJECT, Rendered, line, storable
from activities.email.smtp import PermanentFailure, on_the_wire

MAX_LINE: Final = 78  # octets, RFC 5322, section 2.1.1
MAX_OCTETS: Final = 45
"""In one encoded word: 60 characters of base64 and 12 around them; RFC 2047 allows 75."""

_MESSAGE_ID: Final = re.compile(r"<[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+>")
_PLAIN: Final = re.compile(r"[ -~]*")
_FIELD: Final = re.compile(rb"([A-Za-z-]+):[^\r\n]*\r\n(?: [^\r\n]+\r\n)*")
_OF_THE_PARTS: Final = ("MIME-Version", "Content-Type")


class _Headers(HeaderRegistry):
    """The library makes a class for each header of each e-mail, which is half of what composing costs. Here each class is made once."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, type[BaseHeader]] = {}

    def __getitem__(self, name: str) -> type[BaseHeader]:
        if name not in self._made:
            self._made[name] = super().__getitem__(name)
        return self._made[name]


_POLICY: Final = EmailPolicy(header_factory=_Headers(), linesep="\r\n", cte_type="7bit")


def compose(  # noqa: PLR0913 - an e-mail has that many parts, all named
    rendered: Rendered,
    *,
    sender: str,
    recipient_name: str,
    recipient_address: str,
    message_id: str,
    thread_id: str | None,
) -> bytes:
    """Compose the e-mail: text and HTML, pure ASCII on the wire unless an address itself is not.

    ``message_id`` and ``thread_id`` are of the form ``<left@right>``. ``Auto-Submitted`` (RFC 3834) keeps other machines from replying.
    Raises ``PermanentFailure`` for an impossible address, an id of another form, and a head that is not what was meant.
    """
    thread = [] if thread_id is None else [("In-Reply-To", [_checked(thread_id)]), ("References", [_checked(thread_id)])]
    fields = [
        ("From", _mailbox("", sender)),
        ("To", _mailbox(line(recipient_name, MAX_NAME), recipient_address)),
        ("Subject", _words(line(rendered.subject, MAX_SUBJECT))),
        ("Date", [format_datetime(datetime.now(UTC))]),
        ("Message-ID", [_checked(message_id)]),
        *thread,
        ("Auto-Submitted", ["auto-generated"]),
        ("X-Auto-Response-Suppress", ["All"]),
    ]
    head = "".join(_folded(name, words) for name, words in fields)
    email = head.encode() + _parts(rendered)
    require_head(email, [*(name for name, _ in fields), *_OF_THE_PARTS])
    return email


def require_head(email: bytes, names: Iterable[str]) -> None:
    """The head holds exactly these headers, each once, and no line break but those between them.

    Raises:
        PermanentFailure: it does not. Better no e-mail than one with a header that nobody meant.
    """
    head, _, _ = email.partition(b"\r\n\r\n")
    head += b"\r\n"
    found = list(_FIELD.finditer(head))
    is_whole = b"".join(field.group() for field in found) == head
    if not is_whole or sorted(field.group(1).decode() for field in found) != sorted(names):
        raise PermanentFailure("the head of the e-mail is not what was meant")


def _mailbox(name: str, address: str) -> list[str]:
    wire = on_the_wire(address)
    return [*_phrase(name), f"<{wire}>"] if name else [wire]


def _phrase(name: str) -> list[str]:
    """Quoted where that is enough: between quotes, only those and the backslash mean anything (RFC 5322, section 3.2.4)."""
    return ['"{}"'.format(re.sub(r'(["\\])', r"\\\1", name))] if _is_plain(name) else _encoded(name)


def _words(text: str) -> list[str]:
    return text.split(" ") if _is_plain(text) else _encoded(text)


def _is_plain(text: str) -> bool:
    """Whether no reader can take a part of it for an encoded word."""
    return _PLAIN.fullmatch(text) is not None and "=?" not in text


def _encoded(text: str) -> list[str]:
    """Encode as words of RFC 2047. A word does not end within a character; a reader drops the blanks between them."""
    chunks = [b""]
    for character in text:
        octets = character.encode()
        if len(chunks[-1]) + len(octets) > MAX_OCTETS:
            chunks.append(b"")
        chunks[-1] += octets
    return [f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in chunks]


def _folded(name: str, words: Iterable[str]) -> str:
    """Write one header; a line that would be too long goes on in the next, behind the blank between two words."""
    lines = [f"{name}:"]
    for word in words:
        if lines[-1] != f"{name}:" and len(f"{lines[-1]} {word}") > MAX_LINE:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines) + "\r\n"


def _parts(rendered: Rendered) -> bytes:
    parts = EmailMessage(_POLICY)
    parts.set_content(storable(rendered.text), cte="quoted-printable")
    parts.add_alternative(storable(rendered.html), subtype="html", cte="quoted-printable")
    return parts.as_bytes()


def _checked(message_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise PermanentFailure("a message id is of the form <left@right>")
    return message_id
