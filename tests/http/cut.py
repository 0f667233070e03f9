"""A client whose connection is cut while he still sends."""

from collections.abc import Iterable

import httpx
from starlette.types import Message

from tests.support.desk import Desk


async def cut(desk: Desk, client: httpx.AsyncClient, path: str, pieces: Iterable[bytes]) -> list[Message]:
    """Send the start of a body as ``client`` and go away; what was answered."""
    headers = {"authorization": client.headers.get("authorization", ""), "content-type": "application/json"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": raw, "http_version": "1.1"}
    come: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    answered: list[Message] = []

    async def receive() -> Message:
        return come.pop(0) if come else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    await desk.app(scope, receive, send)
    return answered
