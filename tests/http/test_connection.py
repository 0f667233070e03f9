"""The server's own bounds, over a real socket: what is too long or too slow is refused before an application sees it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from api.http import connection
from api.http.server import server_of
from tests.support.desk import BASE, Desk, Merchant

HOST = b"Host: desk.test\r\n"
Talk = Callable[..., Any]


@pytest.fixture
async def port(whole_desk: Desk) -> AsyncIterator[int]:
    """The desk's app behind the server that serves it in production."""
    server = server_of(whole_desk.app, host="127.0.0.1", port=0)
    config = server.config
    config.load()
    state = {"config": config, "server_state": server.server_state, "app_state": {}}
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: config.http_protocol_class(**state), config.host, config.port)
    yield listening.sockets[0].getsockname()[1]
    listening.close()
    for each in list(server.server_state.connections):
        each.transport.abort()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def said(port: int, pieces: Iterable[bytes]) -> tuple[int, dict[str, str], Any]:
    """Send ``pieces`` and read until the server closes: status, headers and content of the one response; status 0 without one."""
    async with asyncio.timeout(20), connected(port) as (reader, writer):
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        whole = await reader.read()
    head, _, content = whole.partition(b"\r\n\r\n")
    if not head:
        return 0, {}, None
    line, *headers = head.decode().split("\r\n")
    named = {name.lower(): value for name, _, value in (each.partition(": ") for each in headers)}
    return int(line.split()[1]), named, json.loads(content)


def get(path: str, *headers: bytes) -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"".join(headers) + b"Connection: close\r\n\r\n"


ENDLESS = 400
"""Pieces of 64 KiB: what nobody stops reads 26 MB."""


@pytest.mark.parametrize(
    ("pieces", "status", "code"),
    [
        ([get("/healthz?" + "x" * 16_384)], 414, "uri_too_long"),
        ([b"GET /", *[b"x" * 65_536] * ENDLESS], 414, "uri_too_long"),
        ([get("/healthz", *[b"A: " + b"b" * 1000 + b"\r\n"] * 40)], 431, "headers_too_large"),
        ([get("/healthz", *[b"A: b\r\n"] * 6000)], 431, "headers_too_large"),
        ([b"GET / HTTP/1.1\r\nA: ", *[b"x" * 65_536] * ENDLESS], 431, "headers_too_large"),
        ([b"GET / HTTP/1.1\r\n", *[b"x" * 65_536] * ENDLESS], 431, "headers_too_large"),
        ([b"\r\n" * 32_768] * ENDLESS, 431, "headers_too_large"),
        ([b"hello\r\n\r\n"], 400, "bad_request"),
    ],
    ids=["long query", "endless path", "many long headers", "many short headers", "endless value", "endless name", "nothing", "no HTTP"],
)
async def test_what_is_too_long_is_refused_before_it_is_kept(pieces: list[bytes], status: int, code: str, port: int) -> None:
    got, headers, problem = await said(port, pieces)
    assert (got, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["requestId"]
    assert headers["connection"] == "close"


async def test_what_is_just_short_enough_is_served(port: int, acme: Merchant) -> None:
    path = "/healthz?" + "x" * (16_384 - len("/healthz?"))
    status, _, content = await said(port, [get(path, *[b"A: " + b"b" * 1000 + b"\r\n"] * 31)])
    assert (status, content) == (200, {"status": "ok"})
    token = acme.ana.headers["Authorization"].encode()
    in_small_pieces = [bytes([each]) for each in get(f"{BASE}/me", b"Authorization: " + token + b"\r\n")]
    assert (await said(port, in_small_pieces))[0] == 200


async def test_several_requests_share_a_connection(port: int) -> None:
    async with asyncio.timeout(20), connected(port) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"}")
        writer.write((b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n") * 30 + get("/healthz"))
        assert (await reader.read()).count(b"200 OK") == 31


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 0),
        (b"\r\n", 0),
        (b"GET / HT", 408),
        (b"GET / HTTP/1.1\r\nA: b\r\n", 408),
        (b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{", 404),
    ],
    ids=["nothing", "an empty line", "half a line", "half a head", "half a body that nobody reads"],
)
async def test_what_does_not_come_is_not_waited_for(sent: bytes, status: int, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.05)
    assert (await said(port, [sent]))[0] == status


async def _send_all(writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


CHUNKED = b"POST /nothing HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("start", [b"0\r\nA: ", b"1;a="], ids=["a trailer", "an extension"])
async def test_what_stands_around_a_body_is_bounded_like_a_head(start: bytes, port: int) -> None:
    async with asyncio.timeout(20), connected(port) as (_, writer):
        with pytest.raises(ConnectionError):
            await _send_all(writer, [CHUNKED + start, *[b"x" * 65_536] * ENDLESS])


async def test_a_body_of_many_small_pieces_is_none_of_it(port: int, acme: Merchant) -> None:
    token = acme.ana.headers["Authorization"].encode()
    head = f"POST {BASE}/tickets HTTP/1.1\r\n".encode() + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
    pieces = [b"1\r\n \r\n"] * 20_000, b"0\r\nA: " + b"x" * 1000 + b"\r\n\r\n"
    assert (await said(port, [head + b"Authorization: " + token + b"\r\n\r\n", *pieces[0], pieces[1]]))[0] == 415


async def test_only_so_many_requests_wait_on_a_connection(port: int, whole_desk: Desk) -> None:
    async with asyncio.timeout(20), connected(port) as (reader, writer):
        writer.write((b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n") * 3000)
        whole = await reader.read()
    assert whole.count(b"200 OK") <= connection.MAX_PIPELINED + 1


async def test_a_response_that_nobody_takes_is_not_kept(port: int, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.2)
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect(("127.0.0.1", port))
    _, writer = await asyncio.open_connection(sock=link, limit=1024)
    for _ in range(30):  # more than the kernel keeps for both
        writer.write(b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n")
    with pytest.raises(ConnectionError):
        await _send_for_ever(writer)
    writer.close()


async def _send_for_ever(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(20):
        while True:
            writer.write(b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)


async def test_a_full_server_ends_what_is_idle_and_serves_what_is_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(connection, "RESERVED", 0)
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0)
    async with asyncio.timeout(20), AsyncExitStack() as idle:
        (first, _), *_ = [await idle.enter_async_context(connected(port)) for _ in range(3)]
        assert (await said(port, [get(f"{BASE}/me")]))[0] == 401
        assert await first.read() == b""


async def test_a_slow_head_is_not_helped_by_a_byte_now_and_then(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    async with asyncio.timeout(20), connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nA: ")
        answered = asyncio.create_task(reader.read())
        while not answered.done():
            writer.write(b"x")
            await asyncio.sleep(0.01)
    assert b" 408 " in answered.result()


async def test_a_full_server_still_answers_the_probes(port: int, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(connection, "RESERVED", 2)
    monkeypatch.setattr(connection, "IDLE_SECONDS", 1000)
    async with AsyncExitStack() as idle:
        first, *_ = [await idle.enter_async_context(connected(port)) for _ in range(3)]
        status, headers, problem = await said(port, [get(f"{BASE}/me")])
        assert (status, headers["retry-after"], problem["code"]) == (503, "1", "unavailable")
        assert [(await said(port, [get(path)]))[0] for path in ("/healthz", "/readyz")] == [200, 200]
        for _ in range(2):
            await idle.enter_async_context(connected(port))
        assert (await said(port, [get("/healthz")]))[0] == 0  # also the reserve has an end
        first[1].write(get(f"{BASE}/me"))
        assert b" 401 " in await first[0].read()  # those who came in time are served
    await desk.until(lambda: said(port, [get(f"{BASE}/me")]), lambda answer: answer[0] == 401)
