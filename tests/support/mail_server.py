"""A real SMTP server (aiosmtpd) that misbehaves at any step on request, and a certificate that it made itself."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.email.smtp import SmtpServer
from models.platform.settings import MailSecurity

Trick = Callable[["_Protocol"], Awaitable[None]]
PASSWORD = "open sesame"


def say(response: str) -> Trick:
    async def trick(protocol: "_Protocol") -> None:
        await protocol.say(response)

    return trick


async def drop(protocol: "_Protocol") -> None:
    _wire(protocol).abort()


async def stall(protocol: "_Protocol") -> None:
    await protocol.mailbox.released.wait()


async def go_ahead_and_drop(protocol: "_Protocol") -> None:
    await protocol.say("354 go ahead")
    _wire(protocol).abort()


async def go_ahead_and_refuse(protocol: "_Protocol") -> None:
    """Refuse in the middle of the text, as servers do when it is too big."""
    await protocol.say("354 go ahead")
    await protocol._reader.read(1000)
    await protocol.say("552 5.3.4 too big")
    _wire(protocol).close()


async def go_ahead_and_stall(protocol: "_Protocol") -> None:
    """Read nothing until released, and then all that the client still sends."""
    await protocol.say("354 go ahead")
    _wire(protocol).pause_reading()
    await protocol.mailbox.released.wait()
    _wire(protocol).resume_reading()
    try:
        await protocol._reader.read()
    finally:
        protocol.mailbox.ended.set()


@dataclass
class Mailbox:
    """What arrived, and how the server misbehaves: a trick by the step at which it is played."""

    tricks: dict[str, Trick] = field(default_factory=dict)
    emails: list[Envelope] = field(default_factory=list)
    protocols: list["_Protocol"] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    received: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    options: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Protocol(self), "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.released.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        for protocol in self.protocols:
            await protocol.end()

    def address(self, security: MailSecurity = MailSecurity.NONE, **more: Any) -> SmtpServer:
        return replace(SmtpServer(host="localhost", port=self.port, security=security, timeout=5.0), **more)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None, tricks: dict[str, Trick] | None = None, **options: Any) -> AsyncIterator[Mailbox]:
    """Serve while the block runs; ``tls`` from the first byte, ``options`` as aiosmtpd knows them."""
    mailbox = Mailbox(tricks=tricks or {}, options=options)
    await mailbox.start(tls)
    try:
        yield mailbox
    finally:
        await mailbox.stop()


class _Inbox:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: "_Protocol", session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002 - aiosmtpd's
        self._mailbox.emails.append(envelope)
        if trick := self._mailbox.tricks.get("DOT"):
            await trick(server)
            return ""
        return "250 OK queued as 4Xyz for <ana@acme.test>"


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any) -> AuthResult:
    return AuthResult(success=login.password == PASSWORD.encode(), handled=False)


class _Protocol(SMTP):
    def __init__(self, mailbox: Mailbox) -> None:
        options: dict[str, Any] = {"hostname": "mail.test", "authenticator": _authenticate} | mailbox.options
        super().__init__(_Inbox(mailbox), **options)
        self.mailbox = mailbox
        mailbox.protocols.append(self)

    async def end(self) -> None:
        task = self._handler_coroutine
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self.transport is not None:
            _wire(self).abort()

    def data_received(self, data: bytes) -> None:
        self.mailbox.received += len(data)
        super().data_received(data)

    async def say(self, response: str) -> None:
        await super().push(response)

    async def push(self, status: Any) -> None:
        """Send a response; the first one is the greeting, and an empty one was given already by a trick."""
        greeting = not self.mailbox.commands and str(status).startswith("220")
        if greeting and (trick := self.mailbox.tricks.get("GREETING")):
            await trick(self)
            return
        if status:
            await super().push(status)

    async def _call(self, step: str, usual: Callable[[Any], Awaitable[None]], arg: Any) -> None:
        self.mailbox.commands.append(step)
        trick = self.mailbox.tricks.get(step)
        await (trick(self) if trick else usual(arg))

    async def smtp_EHLO(self, hostname: Any) -> None:  # noqa: N802 - aiosmtpd's
        await self._call("EHLO", super().smtp_EHLO, hostname)

    async def smtp_STARTTLS(self, arg: Any) -> None:  # noqa: N802
        await self._call("STARTTLS", super().smtp_STARTTLS, arg)

    async def smtp_AUTH(self, arg: Any) -> None:  # noqa: N802
        await self._call("AUTH", super().smtp_AUTH, arg)

    async def smtp_MAIL(self, arg: Any) -> None:  # noqa: N802
        await self._call("MAIL", super().smtp_MAIL, arg)

    async def smtp_RCPT(self, arg: Any) -> None:  # noqa: N802
        await self._call("RCPT", super().smtp_RCPT, arg)

    async def smtp_DATA(self, arg: Any) -> None:  # noqa: N802
        await self._call("DATA", super().smtp_DATA, arg)

    async def smtp_RSET(self, arg: Any) -> None:  # noqa: N802
        await self._call("RSET", super().smtp_RSET, arg)

    async def smtp_QUIT(self, arg: Any) -> None:  # noqa: N802
        await self._call("QUIT", super().smtp_QUIT, arg)


def _wire(protocol: _Protocol) -> asyncio.Transport:
    assert isinstance(protocol.transport, asyncio.Transport)
    return protocol.transport


def self_made_certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what the server shows and what a client needs to trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(pem, secret)
    return shown, ssl.create_default_context(cafile=str(pem))
