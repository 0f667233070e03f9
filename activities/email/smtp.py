"""One SMTP conversation (RFC 5321): it sends e-mails one after the other, each to one recipient, and judges how each ended.

    DeliveryFailed             code (SMTP, or None without a response), text (safe to store and to log)
    ├── TransientFailure       not delivered, and worth another try
    ├── PermanentFailure       not delivered, and another try can't help
    └── AmbiguousFailure       perhaps delivered: another try may be a second e-mail (RFC 5321, section 4.2.5, and RFC 1047)

The table of judgements. Silence is a timeout, a lost connection or a response that can't be read.

- silence before DATA: transient;
- silence once DATA has begun: ambiguous (docs/decisions/0007);
- 4xx at any step, and so 421: transient;
- 5xx for the sender, the recipient or the text: permanent;
- 5xx in the greeting, to EHLO, STARTTLS or AUTH, and 530, 534, 535 and 538 at any step: transient. They are about our standing with
  the server (a block, a changed password, a wrong setting) and not about the e-mail: an operator mends that, and no e-mail may be
  lost until then;
- TLS that was asked for and is not offered or not trusted: transient for the same reason. The conversation never goes on without it.

Every wait is bounded by the server's ``timeout``. Who has a conversation, and for how long, is in activities/email/conversations.py.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from models.notifications.messages import ANSWER_SECONDS
from models.platform.settings import MailSecurity

QUIT_SECONDS: Final = 1.0
MAX_TEXT: Final = 200

_OUR_STANDING: Final = frozenset({530, 534, 535, 538})  # RFC 4954, section 6
_ADDRESS_LIKE: Final = re.compile(r"\S*@\S*")
_LINK_LIKE: Final = re.compile(r"\bhttps?:\S*", re.IGNORECASE)
_TRACER: Final = trace.get_tracer("helpdesk")


class DeliveryFailed(Exception):
    """``text`` holds our own words and, of the server's response, one printable line without addresses."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class TransientFailure(DeliveryFailed):
    """Not delivered, and worth another try."""


class PermanentFailure(DeliveryFailed):
    """Not delivered, and another try can't help."""


class AmbiguousFailure(DeliveryFailed):
    """Perhaps delivered: another try may be a second e-mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """The server that takes our e-mails. ``timeout`` is seconds a wait; ``tls`` replaces the system's trust, for a private authority."""

    host: str
    port: int
    security: MailSecurity
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 15.0
    tls: ssl.SSLContext | None = None

    @property
    def answer_seconds(self) -> float:
        """How long an attempt may take from its begin to the server's answer: a wait for DATA and one for the text."""
        return min(2 * self.timeout, ANSWER_SECONDS)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The server took the e-mail: its code, and its words without addresses (most servers name their queue id there)."""

    code: int
    text: str


def accept_local_domains() -> None:
    """Take addresses in ``.local`` and ``localhost``, which real servers serve on company networks and on one machine.

    The list is a setting of the library and global to the process: the worker's composition root calls this.
    """
    SPECIAL_USE_DOMAIN_NAMES[:] = [name for name in SPECIAL_USE_DOMAIN_NAMES if name not in {"local", "localhost"}]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Addresses as ``on_the_wire`` returns them, and the size of the e-mail in octets (RFC 1870)."""

    sender: str
    recipient: str
    size: int

    @property
    def is_international(self) -> bool:
        return not (self.sender + self.recipient).isascii()


@lru_cache(maxsize=1024)  # the sender is in every e-mail, and a recipient in many
def on_the_wire(address: str) -> str:
    """Return the address with its domain in ASCII (RFC 5891), so that only a local part beyond ASCII needs SMTPUTF8 of the server.

    Raises ``PermanentFailure`` for what is no address. Quoted local parts and address literals are refused: people have none, and
    injections live in them. Whether a domain without a dot, or one in ``.local`` or ``.test``, is served is for the mail server to judge.
    """
    try:
        valid = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError:
        raise PermanentFailure("the address is not valid") from None
    return f"{valid.local_part}@{valid.ascii_domain}"


class _Step(StrEnum):
    INTRODUCTION = "introduction"  # the greeting, EHLO, STARTTLS and AUTH
    RSET = "RSET"  # the introduction of each further e-mail
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"


class Conversation:
    """``sent`` counts the e-mails that the server took. All methods but ``leave`` and ``abort`` raise one of the ``DeliveryFailed``."""

    def __init__(self, server: SmtpServer) -> None:
        self.sent = 0
        self._envelope = Envelope("", "", 0)
        self._quit_seconds = min(QUIT_SECONDS, server.timeout)
        self._transport: asyncio.WriteTransport | None = None
        self._client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            timeout=server.timeout,
            use_tls=server.security is MailSecurity.TLS,
            start_tls=server.security is MailSecurity.STARTTLS,
            tls_context=server.tls or _system_trust(),
            local_hostname=_own_name(),
        )

    async def begin(self, envelope: Envelope) -> None:
        """From the connection up to the recipient of the first e-mail."""
        self._envelope = envelope
        with self._judged(_Step.INTRODUCTION):
            await self._client.connect()
            self._transport = cast(asyncio.WriteTransport, self._client.transport)
            if self._client.is_ehlo_or_helo_needed:
                await self._client.ehlo()
        await self._address()

    async def go_on(self, envelope: Envelope) -> None:
        """Up to the recipient of a further e-mail. RSET (section 4.1.1.5) finds out at once whether the server is still there."""
        self._envelope = envelope
        with self._judged(_Step.RSET):
            await self._client.rset(timeout=self._quit_seconds)
        await self._address()

    async def _address(self) -> None:
        options = [f"SIZE={self._envelope.size}"] if self._client.supports_extension("size") else []
        if self._envelope.is_international:
            if not self._client.supports_extension("smtputf8"):
                raise PermanentFailure("the address has characters beyond ASCII, and the mail server does not offer SMTPUTF8")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        with self._judged(_Step.MAIL):
            await self._client.mail(self._envelope.sender, options=options, encoding="utf-8")
        with self._judged(_Step.RCPT):
            await self._client.rcpt(self._envelope.recipient, encoding="utf-8")

    async def send(self, text: bytes, until: float) -> Receipt:
        """``until`` is an instant of the loop's clock."""
        if not self._client.is_connected:  # lost while the attempt was committed: DATA has not begun
            raise TransientFailure("DATA: the connection was lost")
        with self._judged(_Step.DATA):
            async with asyncio.timeout_at(until):
                response = await self._client.data(text)
        self.sent += 1
        return Receipt(response.code, self._sayable(response.message))

    async def leave(self) -> None:
        """Quit politely, but not at any price: what was judged stands."""
        try:
            with suppress(SMTPException, OSError):
                await self._client.quit(timeout=self._quit_seconds)
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop what is not sent yet. The client's own ``close`` would go on sending it after the attempt has ended."""
        if self._transport is not None:
            self._transport.abort()

    @contextmanager
    def _judged(self, step: _Step) -> Iterator[None]:
        """Turn what the library raises in a step into one of our three failures. In a trace each step is a span."""
        try:
            with _TRACER.start_as_current_span(f"SMTP {step}", kind=SpanKind.CLIENT):
                yield
        except SMTPResponseException as error:
            raise _refusal(step, error.code, self._sayable(error.message)) from None
        except TimeoutError:
            raise _silence(step, "timed out") from None
        except OSError as error:
            distrusted = any(isinstance(each, ssl.SSLCertVerificationError) for each in (error, error.__cause__))
            raise _silence(step, "the certificate is not trusted" if distrusted else "the connection failed or was lost") from None
        except SMTPException as error:
            raise _silence(step, self._sayable(error.message)) from None
        except Exception as error:  # a defect, of the client or of ours: it counts as a try, so that it ends
            raise _silence(step, f"the client failed with {type(error).__name__}") from error

    def _sayable(self, text: str) -> str:
        """Keep of a server's words one printable line without addresses, for it is stored and logged; without links, as a filter that
        refuses the e-mail for one may quote it: a link to the portal opens the ticket.
        """
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        line = _ADDRESS_LIKE.sub("<address>", _LINK_LIKE.sub("<link>", line))
        for address in (self._envelope.sender, self._envelope.recipient):
            line = re.sub(rf"(?<!\w){re.escape(address.partition('@')[0])}(?!\w)", "<address>", line, flags=re.IGNORECASE)
        return line[:MAX_TEXT]


def _refusal(step: _Step, code: int, text: str) -> DeliveryFailed:
    if not 400 <= code < 600:  # aiosmtplib gives -1 to what it can't read
        return _silence(step, "the response can't be read")
    is_transient = code < 500 or step is _Step.INTRODUCTION or code in _OUR_STANDING
    return (TransientFailure if is_transient else PermanentFailure)(f"{step}: {code} {text}", code)


def _silence(step: _Step, what: str) -> DeliveryFailed:
    return (AmbiguousFailure if step is _Step.DATA else TransientFailure)(f"{step}: {what}")


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _own_name() -> str:
    """Name this machine without asking DNS, which may hang; a name that SMTP can't carry becomes an address literal."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,255}", name) else "[127.0.0.1]"
