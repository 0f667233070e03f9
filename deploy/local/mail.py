"""The mail catcher: a real SMTP server that keeps what it receives as files, and nothing leaves the machine."""

import email
import email.policy
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import Field

from models.errors import NotFound
from models.value import Value

_MAX_BYTES = 1 << 20


class CaughtMail(Value):
    """One message as ``GET /dev/mail`` shows it; ``to`` is whom the envelope named."""

    id: str
    from_: str = Field(alias="from")
    to: tuple[str, ...]
    subject: str
    message_id: str
    in_reply_to: str | None
    text: str
    html: str | None
    received_at: datetime


class MailCatcher:
    """An SMTP server on 127.0.0.1 in a thread of its own; every message becomes one ``.eml`` file in ``folder``."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._server = Controller(_Keeping(folder), hostname="127.0.0.1", port=port, data_size_limit=_MAX_BYTES, ready_timeout=10)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(no_assert=True)


class _Keeping:
    """aiosmtpd's own ``Mailbox`` waits for the disk at every message, and its names do not sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._last = folder, 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self._last = max(time.time_ns(), self._last + 1)
        file = self._folder / f"{self._last:020d}.eml"
        header = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        half = file.with_suffix(".part")  # a reader never sees half a message
        half.write_bytes(header.encode() + (envelope.original_content or b""))
        half.rename(file)
        return "250 kept"


def received(folder: Path, limit: int = 200) -> list[CaughtMail]:
    """Return the newest ``limit`` messages in ``folder``, newest first."""
    return [_read(file) for file in sorted(folder.glob("*.eml"), reverse=True)[:limit]]


def received_as(folder: Path, mail_id: str) -> CaughtMail:
    """Raises: NotFound: no such message is in ``folder``. ``mail_id`` is digits only."""
    file = folder / f"{mail_id}.eml"
    if not file.is_file():
        raise NotFound("e-mail")
    return _read(file)


@lru_cache(maxsize=5_000)  # a caught file never changes, and to parse thousands at every look would hold up the loop of the reader
def _read(file: Path) -> CaughtMail:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    return CaughtMail(
        id=file.stem,
        from_=str(message["From"] or message["X-Envelope-From"]),
        to=tuple(str(message["X-Envelope-To"] or "").split(", ")),
        subject=str(message["Subject"] or ""),
        message_id=str(message["Message-ID"] or ""),
        in_reply_to=str(message["In-Reply-To"]) if message["In-Reply-To"] else None,
        text=_part(message, "plain") or "",
        html=_part(message, "html"),
        received_at=datetime.fromtimestamp(int(file.stem) / 1e9, UTC),
    )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else None
