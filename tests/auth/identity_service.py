"""A real HTTP endpoint for keys that can be told to misbehave, and the keys it publishes."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://identity.test"
AUDIENCE = "helpdesk"
ACME, GLOBEX = 7431234567890123456, 7431234567890123457

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Clock:
    """A monotonic clock that stands until it is moved."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds


class SigningKey:
    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, Any]:
        return ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True) | {"kid": self.kid, "use": "sig", "alg": "ES256"}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, algorithm="ES256", headers={"kid": self.kid} | header)


def claims_of_ana(**changes: Any) -> dict[str, Any]:
    """Claims of Acme's agent; a change to ``None`` leaves the claim out."""
    now = int(time.time())
    whole = {
        "sub": "ana",
        "name": "Ana",
        "email": "ana@acme.test",
        "merchantIds": [str(ACME)],
        "roles": ["agent"],
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 600,
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def reply(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def publish(*keys: SigningKey | dict[str, Any]) -> Answer:
    return reply(json.dumps({"keys": [key.jwk if isinstance(key, SigningKey) else key for key in keys]}).encode())


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then without end: each read is quick, the whole is not."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Send without end and without a length; returns when the client hangs up."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b" " * 4096)
        await writer.drain()


@dataclass
class IdentityService:
    answer: Answer = hang_up
    requests: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    port: int = 0

    async def start(self) -> None:
        self.open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await self.open.wait()
            await self.answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def until(done: Callable[[], bool]) -> None:
    """Let the loop run until it is so; the test's own timeout bounds it."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)
