"""Whatever a client sends: a clear problem, nothing half-written, never a 500."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.http import body as bodies
from api.http.problems import MAX_BODY
from tests.support.desk import Desk, Merchant

JSON = {"Content-Type": "application/json"}
MILLION = 1_000_000


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> Merchant:
    """Who only ever hears nonsense."""
    return await whole_desk.merchant("shop")


def _body(**fields: Any) -> dict[str, Any]:
    return {"subject": "s", "description": "d", "category": "general"} | fields


def _is_problem(response: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert response.status_code in (statuses or (400, 404, 413, 415, 422)), response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = dict(response.json())
    assert problem.keys() >= {"type", "title", "status", "detail", "instance", "code", "requestId"}
    assert problem["requestId"] == response.headers["X-Request-Id"]
    assert not any(word in response.text for word in ("Traceback", "sqlalchemy", "asyncpg", "SELECT", "psycopg"))
    return problem


UNREADABLE = {
    "nothing": (b"", "missing"),
    "a word": (b"hello", "invalid_json"),
    "half": (b'{"subject": ', "invalid_json"),
    "two": (b"{}{}", "invalid_json"),
    "NUL": (b'{"subject":"a\\u0000b","description":"d"}', "invalid_text"),
    "a raw NUL": (b'{"subject":"a\x00b","description":"d"}', "invalid_json"),
    "a NUL in a key": (b'{"subject":"s","description":"d","customFields":{"a\\u0000":1}}', "invalid_text"),
    "half a surrogate pair": (b'{"subject":"\\ud83d","description":"d"}', "invalid_text"),
    "a surrogate deep inside": (b'{"subject":"s","description":"d","customFields":{"a":[{"b":"\\udc00"}]}}', "invalid_text"),
    "invalid UTF-8": (b'{"subject":"\xff\xfe","description":"d"}', "invalid_utf8"),
    "UTF-16": ('{"subject":"s"}'.encode("utf-16"), "invalid_utf8"),
    "the same key twice": (b'{"subject":"a","subject":"b","description":"d"}', "duplicate_key"),
    "the same key twice inside": (b'{"subject":"a","description":"d","customFields":{"x":{"y":1,"y":2}}}', "duplicate_key"),
    "NaN": (b'{"subject":"s","description":"d","customFields":{"x":NaN}}', "invalid_json"),
    "infinity": (b'{"subject":"s","description":"d","customFields":{"x":-Infinity}}', "invalid_json"),
    "ten thousand deep": (b'{"subject":"s","description":"d","customFields":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, "too_deep"),
    "ten thousand lists": (b"[" * 10_000 + b"]" * 10_000, "too_deep"),
    "fifty deep": (b'{"subject":"s","description":"d","customFields":' + b'{"a":' * 50 + b"1" + b"}" * 51, "too_deep"),
}


@pytest.mark.parametrize(("content", "code"), UNREADABLE.values(), ids=UNREADABLE)
async def test_what_is_no_plain_json_is_refused_by_name(content: bytes, code: str, shop: Merchant) -> None:
    problem = _is_problem(await shop.rita.post("/tickets", content=content, headers=JSON), 422)
    assert problem["errors"][0]["code"] == code


@pytest.mark.parametrize("number", ["1e400", "-1e999", "1" * 4000, "1" * 5000, "1e-400", "123456789012345678901234567890", "0.1e1"])
async def test_odd_numbers_are_stored_or_refused(number: str, shop: Merchant) -> None:
    content = f'{{"subject":"s","description":"d","customFields":{{"x":{number}}}}}'
    response = await shop.ana.post("/tickets", content=content, headers=JSON)
    if response.status_code != 201:
        _is_problem(response, 422)


@pytest.mark.parametrize("content", [b"[]", b"null", b"1", b'"x"', b"true"])
async def test_a_body_is_an_object(content: bytes, shop: Merchant) -> None:
    for path in ("/tickets", "/tickets/1/messages", "/tickets/1/assign"):
        _is_problem(await shop.lars.post(path, content=content, headers=JSON), 422)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", "json", "\\"]
)
async def test_a_body_says_that_it_is_json(kind: str, shop: Merchant) -> None:
    content = json.dumps(_body(subject="a\x00b"))
    _is_problem(await shop.rita.post("/tickets", content=content, headers={"Content-Type": kind}), 415, 422)


async def test_a_body_of_more_than_a_mebibyte_is_too_large(shop: Merchant) -> None:
    exactly = json.dumps(_body(description="d" * 100)).encode().ljust(MAX_BODY)
    assert (await shop.rita.post("/tickets", content=exactly, headers=JSON)).status_code == 201
    _is_problem(await shop.rita.post("/tickets", content=exactly + b" ", headers=JSON), 413)


async def test_a_body_without_an_end_is_cut_off(shop: Merchant) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    _is_problem(await shop.rita.post("/tickets", content=endless(), headers=JSON), 413)


async def test_a_body_that_does_not_come_is_not_waited_for(shop: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    problem = _is_problem(await shop.rita.post("/tickets", content=stalled(), headers=JSON), 400)
    assert problem["code"] == "body_timeout"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_a_compressed_body_is_not_unpacked(encoding: str, shop: Merchant) -> None:
    bomb = gzip.compress(b" " * MILLION)
    _is_problem(await shop.rita.post("/tickets", content=bomb, headers=JSON | {"Content-Encoding": encoding}), 415)


SERVERS = {
    "id": "1",
    "number": 1,
    "merchantId": "1",
    "status": "closed",
    "assigneeId": "1",
    "teamId": "1",
    "version": 7,
    "isInternal": True,
}
SERVERS |= {
    "createdAt": "2001-01-01T00:00:00Z",
    "deletedAt": None,
    "escalationLevel": 3,
    "slaStatus": "none",
    "reporterId": "1",
    "closedAt": None,
}


@pytest.mark.parametrize("name", SERVERS)
async def test_what_the_server_owns_can_not_be_sent(name: str, shop: Merchant) -> None:
    ticket = (await shop.rita.post("/tickets", json=_body())).json()
    path, field = f"/tickets/{ticket['id']}", {name: SERVERS[name]}
    answers = [
        await shop.ana.post("/tickets", json=_body(**field)),
        await shop.ana.patch(path, json=field, headers={"If-Match": "*"}),
        await shop.ana.post(f"{path}/notes", json={"body": "b"} | field),
        await shop.ana.post(f"{path}/hold", json=field),
    ]
    for response in answers:
        assert _is_problem(response, 422)["errors"] == [
            {"pointer": f"/{name}", "code": "extra_forbidden", "detail": response.json()["errors"][0]["detail"]}
        ]


TOO_MUCH: list[tuple[str, Any]] = [
    ("subject", "x" * 301),
    ("subject", "x" * MILLION),
    ("subject", ""),
    ("subject", " \t "),
    ("subject", "a\r\nBcc: everybody@shop.example"),
    ("subject", "a\nb"),
    ("subject", 7),
    ("subject", ["s"]),
    ("subject", None),
    ("description", ""),
    ("description", " \n "),
    ("description", "x" * MILLION),
    ("description", {}),
    ("priority", "URGENT"),
    ("priority", 1),
    ("priority", None),
    ("category", "x" * 101),
    ("category", "nope"),
    ("category", "'; drop table ticket; --"),
    ("channel", "fax"),
    ("tags", "x"),
    ("tags", ["x"] * 51),
    ("tags", ["x" * 51]),
    ("tags", [""]),
    ("tags", [1]),
    ("tags", ["a\nb"]),
    ("customFields", []),
    ("customFields", {f"{n}": n for n in range(101)}),
    ("customFields", {"": 1}),
    ("customFields", {"x": "y" * 64 * 1024}),
    ("organizerId", 7),
    ("organizerId", "0"),
    ("organizerId", "-1"),
    ("organizerId", "9223372036854775808"),
    ("organizerId", "9" * 400),
    ("organizerId", "1.0"),
    ("organizerId", "٣"),
    ("organizerId", " 7"),
    ("reporter", "x"),
    ("reporter", {"name": "Rob"}),
    ("reporter", {"name": "Rob", "email": "rob"}),
    ("reporter", {"name": "a\r\nb", "email": "rob@customer.example"}),
    ("reporter", {"name": "Rob", "email": "rob@customer.example\r\nBcc: x@y.example"}),
    ("reporter", {"name": "Rob", "email": "x" * MILLION}),
]


@pytest.mark.parametrize(("name", "value"), TOO_MUCH, ids=[f"{name}={str(value)[:30]!a}" for name, value in TOO_MUCH])
async def test_a_field_has_its_bounds_and_is_named(name: str, value: Any, shop: Merchant) -> None:
    response = await shop.ana.post("/tickets", json=_body(**{name: value}))
    problem = _is_problem(response, 413 if len(str(value)) > MAX_BODY else 422)
    assert problem["errors"][0]["pointer"].startswith(f"/{name}")
    assert len(response.content) < 5000


@pytest.mark.parametrize(
    "text",
    ["{{7*7}}", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "a\u202eb", "'; drop table ticket; --", "%s%n", "\ufeffx", "e\u0301"],
)
async def test_harmless_text_comes_back_letter_by_letter(text: str, shop: Merchant) -> None:
    opened = await shop.ana.post("/tickets", json=_body(subject=text, description=text, tags=[text], customFields={text: text}))
    seen = await shop.get(opened.json()["id"])
    assert (seen["subject"], seen["description"], seen["tags"], seen["customFields"]) == (text, text, [text], {text: text})


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128])
async def test_a_request_id_comes_back(given: str, shop: Merchant) -> None:
    for response in (
        await shop.rita.get("/me", headers={"X-Request-Id": given}),
        await shop.rita.get("/nope", headers={"X-Request-Id": given}),
    ):
        assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a;b", "é".encode("latin-1"), "{{7*7}}"])
async def test_a_strange_request_id_is_replaced(given: str, shop: Merchant) -> None:
    response = await shop.rita.get("/me", headers={"X-Request-Id": given})
    assert response.headers["X-Request-Id"] != given
    assert len(response.headers["X-Request-Id"]) >= 16


@pytest.mark.parametrize(
    "ticket_id", ["0", "-1", "1.0", "x", "9223372036854775808", "9" * 400, "٣", "1%00", "1'--", "..%2f..", "%ff", "null"]
)
async def test_what_can_not_be_an_id_is_not_found(ticket_id: str, shop: Merchant) -> None:
    for path in (f"/tickets/{ticket_id}", f"/tickets/{ticket_id}/messages", f"/agents/{ticket_id}"):
        _is_problem(await shop.lars.get(path), 404)
    _is_problem(await shop.lars.post(f"/tickets/{ticket_id}/hold"), 404)


async def test_nothing_of_all_this_was_opened_in_half(shop: Merchant) -> None:
    opened = (await shop.rita.post("/tickets", json=_body())).json()
    events = (await shop.lars.get(f"/tickets/{opened['id']}/events")).json()["data"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("until", [0, 1.5, "0", "1767225600", "tomorrow", "08:00", True])
async def test_an_instant_is_written_as_a_date_and_a_time(until: Any, shop: Merchant) -> None:
    problem = _is_problem(await shop.lars.put(f"/agents/{shop.agents['ana']}/availability", json={"state": "away", "until": until}), 422)
    assert problem["errors"][0]["pointer"] == "/until"
    _is_problem(await shop.lars.get("/tickets", params={"updatedSince": str(until)}), 422)
