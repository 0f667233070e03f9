"""A load client that costs little: HTTP/1.1 by hand over kept-alive connections, so that the two cores are left to what is measured."""

import asyncio
import json
from typing import Any, NamedTuple, Self


class Answer(NamedTuple):
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One kept-alive connection, opened again when the server has closed an idle one; one request at a time."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._port, self._reader, self._writer = port, reader, writer

    @classmethod
    async def to(cls, port: int) -> Self:
        return cls(port, *await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request, as :func:`request` makes it, and read the answer."""
        if self._reader.at_eof():
            await self.aclose()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        return Answer(int(head[9:12]), await self._reader.readexactly(_length(head)))

    async def aclose(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def request(method: str, path: str, token: str = "", body: object = None, *, if_match: str = "") -> bytes:
    """The bytes of a request, made before the clock starts."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"If-Match: {if_match}"] if if_match else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[start : lowered.index(b"\r\n", start)])
