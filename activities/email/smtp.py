"""One letter to one recipient in one SMTP conversation (RFC 5321), step by step, so that it is always known how far it came.

How an end is judged:

- no answer (refused, lost, timed out) before the final dot is written: transient;
- no answer, or none that can be read, after it: ambiguous;
- 4xx, and 421 anywhere: transient;
- 5xx for the sender, the recipient or the letter: permanent;
- 5xx in the greeting, to EHLO, STARTTLS or AUTH, and 530, 534, 535 and 538 wherever they come: transient. They speak of our standing
  with the server (a block, a changed password, a wrong setting) and not of the letter. An operator mends that, and until then no
  letter may be lost over it;
- TLS that was asked for and is not offered or not trusted: transient for the same reason; never is it done without.

Every wait is bounded by the server's ``timeout``; a conversation has at most twelve of them.
"""

import asyncio
import email.policy
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from functools import cache
from typing import Final, cast

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol

from activities.email.address import on_the_wire
from activities.email.errors import AmbiguousFailure, DeliveryFailed, PermanentFailure, TransientFailure
from models.platform.settings import MailSecurity

QUIT_SECONDS: Final = 1.0
MAX_TEXT: Final = 200

_OUR_STANDING: Final = frozenset({530, 534, 535, 538})  # RFC 4954, section 6
_GO_AHEAD: Final = 354
_ASCII: Final = email.policy.SMTP.clone(cte_type="7bit")
_ADDRESS_LIKE: Final = re.compile(r"\S*@\S*")


class Step(StrEnum):
    CONNECT = "connecting"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    TEXT = "sending the text"
    DOT = "the final dot"


_INTRODUCTION: Final = frozenset({Step.CONNECT, Step.EHLO, Step.STARTTLS, Step.AUTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where letters are handed in. ``timeout`` is seconds for each wait; ``tls`` replaces the system's trust, for a private authority."""

    host: str
    port: int
    security: MailSecurity
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 15.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The server took the letter: its code, and its words without addresses (most name their queue id there)."""

    code: int
    text: str


async def converse(
    server: SmtpServer, notification: EmailMessage, sender: str, recipient: str, *, before_data: Callable[[], Awaitable[None]]
) -> Receipt:
    """Hand in one letter for one recipient.

    ``before_data`` is awaited when the recipient is accepted and nothing of the letter is sent: there the attempt is committed, so
    that a crash after it is known to be ambiguous. What it raises ends the conversation and is passed on. Raises one of the
    ``DeliveryFailed``.
    """
    talk = _Conversation(server, on_the_wire(sender), on_the_wire(recipient))
    text = talk.flatten(notification)
    try:
        await talk.introduce()
        await talk.address(len(text))
        await _recorded(before_data, server.timeout)
        return await talk.send(text)
    finally:
        await talk.leave()


async def _recorded(before_data: Callable[[], Awaitable[None]], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await before_data()
    except TimeoutError:
        raise TransientFailure("recording the attempt: timed out") from None


class _Conversation:
    def __init__(self, server: SmtpServer, sender: str, recipient: str) -> None:
        self._server = server
        self._sender = sender
        self._recipient = recipient
        self._client = SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.timeout,
            use_tls=server.security is MailSecurity.TLS,
            start_tls=False,
            tls_context=server.tls or _system_trust(),
            local_hostname=_own_name(),
        )

    @property
    def _is_international(self) -> bool:
        return not (self._sender.isascii() and self._recipient.isascii())

    def flatten(self, notification: EmailMessage) -> bytes:
        """Make the octets that DATA sends: lines end in CRLF, a leading dot is doubled (RFC 5321, section 4.5.2)."""
        text = re.sub(rb"\r\n|\r|\n", b"\r\n", notification.as_bytes(policy=email.policy.SMTPUTF8 if self._is_international else _ASCII))
        return re.sub(rb"(?m)^\.", b"..", text if text.endswith(b"\r\n") else text + b"\r\n")

    async def introduce(self) -> None:
        with self.judged(Step.CONNECT):
            await self._client.connect()
        await self._greet()
        if self._server.security is MailSecurity.STARTTLS:
            with self.judged(Step.STARTTLS):
                await self._client.starttls()
            await self._greet()
        if self._server.username is not None:
            with self.judged(Step.AUTH):
                await self._client.login(self._server.username, self._server.password or "")

    async def _greet(self) -> None:
        with self.judged(Step.EHLO):
            await self._client.ehlo()

    async def address(self, size: int) -> None:
        """Name sender and recipient; ``size`` is octets (RFC 1870)."""
        options = [f"SIZE={size}"] if self._client.supports_extension("size") else []
        if self._is_international:
            if not self._client.supports_extension("smtputf8"):
                raise PermanentFailure("the address has letters beyond ASCII, and the mail server does not offer SMTPUTF8")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        with self.judged(Step.MAIL):
            await self._client.mail(self._sender, options=options, encoding="utf-8")
        with self.judged(Step.RCPT):
            await self._client.rcpt(self._recipient, encoding="utf-8")

    async def send(self, text: bytes) -> Receipt:
        with self.judged(Step.DATA):
            answer = await self._client.execute_command(b"DATA")
            if answer.code != _GO_AHEAD:
                raise SMTPDataError(answer.code, answer.message)
        protocol = cast(SMTPProtocol, self._client.protocol)
        # Listening starts before the first byte: a server that refuses in the middle of the text is heard, and it is not ambiguous.
        reply = asyncio.create_task(protocol.read_response())
        try:
            with self.judged(Step.TEXT):
                await _write(protocol, text, reply, self._server.timeout)
                protocol.write(b".\r\n")
            with self.judged(Step.DOT):
                code, message = await asyncio.wait_for(reply, self._server.timeout)
                if not 200 <= code < 300:
                    raise SMTPDataError(code, message)
                return Receipt(code, self._sayable(message))
        finally:
            if not reply.done() or reply.cancelled():
                # In the middle of something: a polite QUIT would be a line of the letter, and a close would wait for what is not read.
                reply.cancel()
                self._abort()

    def _abort(self) -> None:
        if self._client.transport is not None:
            cast(asyncio.Transport, self._client.transport).abort()

    async def leave(self) -> None:
        """Part politely, but not at any price: whatever was decided stands."""
        with suppress(SMTPException, OSError, TimeoutError):
            if self._client.is_connected:
                await self._client.quit(timeout=min(QUIT_SECONDS, self._server.timeout))
        self._client.close()

    @contextmanager
    def judged(self, step: Step) -> Iterator[None]:
        """Turn what the library raises in a step into one of our three ends."""
        try:
            yield
        except SMTPResponseException as error:
            raise _refusal(step, error.code, self._sayable(error.message)) from None
        except TimeoutError:
            raise _silence(step, "timed out") from None
        except ssl.SSLCertVerificationError:
            raise _silence(step, "the certificate is not trusted") from None
        except OSError as error:
            cause = error.__cause__
            trusted = not isinstance(cause, ssl.SSLCertVerificationError)
            raise _silence(step, "the connection failed or was lost" if trusted else "the certificate is not trusted") from None
        except SMTPException as error:
            raise _silence(step, self._sayable(error.message)) from None

    def _sayable(self, text: str) -> str:
        """Keep of a server's words one printable line without addresses, for these are stored and logged."""
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        line = _ADDRESS_LIKE.sub("<address>", line)
        for address in (self._sender, self._recipient):
            line = re.sub(rf"(?<!\w){re.escape(address.partition('@')[0])}(?!\w)", "<address>", line, flags=re.IGNORECASE)
        return line[:MAX_TEXT]


def _refusal(step: Step, code: int, text: str) -> DeliveryFailed:
    said = f"{step}: {code} {text}"
    if not 400 <= code < 600:
        # No answer that RFC 5321 knows here; aiosmtplib gives what it cannot read the code -1.
        return _silence(step, "an answer that is none")
    if code < 500 or step in _INTRODUCTION or code in _OUR_STANDING:
        return TransientFailure(said, code)
    return PermanentFailure(said, code)


def _silence(step: Step, what: str) -> DeliveryFailed:
    return (AmbiguousFailure if step is Step.DOT else TransientFailure)(f"{step}: {what}")


async def _write(protocol: SMTPProtocol, text: bytes, reply: asyncio.Task[tuple[int, str]], timeout: float) -> None:  # noqa: ASYNC109
    """Give the whole text to the system, so that what goes wrong before the dot is known to have gone wrong before the dot."""
    cast(asyncio.WriteTransport, protocol.transport).set_write_buffer_limits(high=0)
    protocol.write(text)
    # What asyncio's own StreamWriter.drain calls; a StreamWriter would close the connection when it is collected.
    drained = asyncio.ensure_future(protocol._drain_helper())  # noqa: SLF001
    await asyncio.wait({reply, drained}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    if reply.done():
        drained.cancel()
        raise SMTPDataError(*reply.result())
    if not drained.done():
        drained.cancel()
        raise TimeoutError
    drained.result()


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _own_name() -> str:
    """Name this machine without asking DNS, which may hang; a name that SMTP cannot carry becomes an address literal."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,255}", name) else "[127.0.0.1]"
