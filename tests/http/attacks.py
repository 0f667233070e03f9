"""What a caller may send to hurt others, a small function each. Each is answered, or cut off, and never with 5xx."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx

JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1024 * 1024
LONG = "x" * 90_000


class Attacker(NamedTuple):
    """``staff`` and ``reporter`` have tokens of a merchant, ``stranger`` has none; ``foreign`` is a ticket of another merchant."""

    staff: httpx.AsyncClient
    reporter: httpx.AsyncClient
    stranger: httpx.AsyncClient
    port: int
    foreign: str
    dice: random.Random


Attack = Callable[[Attacker], Awaitable[httpx.Response | None]]


def _ticket(**fields: Any) -> dict[str, Any]:
    return {"subject": "s", "description": "d", "category": "general"} | fields


def opening(**fields: Any) -> Attack:
    return lambda attacker: attacker.staff.post("/tickets", json=_ticket(**fields))


def sending(content: bytes, **headers: str) -> Attack:
    return lambda attacker: attacker.reporter.post("/tickets", content=content, headers=JSON | headers)


def asking(path: str, **params: Any) -> Attack:
    return lambda attacker: attacker.staff.get(path, params=params)


def with_token(token: str) -> Attack:
    return lambda attacker: attacker.stranger.get("/tickets", headers={"Authorization": f"Bearer {token}"})


async def _foreign_ticket(attacker: Attacker) -> httpx.Response:
    part = attacker.dice.choice(["", "/events", "/notes", "/sla", "/notifications", "/context"])
    response = await attacker.staff.get(f"/tickets/{attacker.foreign}{part}")
    assert response.status_code in (404, 429), response.text
    return response


async def _same_key_at_once(attacker: Attacker) -> httpx.Response:
    key = {"Idempotency-Key": f"k{attacker.dice.random()}"}
    answers = await asyncio.gather(*(attacker.staff.post("/tickets", json=_ticket(subject=f"{n % 2}"), headers=key) for n in range(6)))
    return max(answers, key=lambda each: each.status_code)


async def _edit_again_and_again(attacker: Attacker) -> httpx.Response:
    opened = await attacker.staff.post("/tickets", json=_ticket(customFields={"long": "y" * 60_000}))
    if opened.status_code != 201:
        return opened
    path, headers = f"/tickets/{opened.json()['id']}", {"If-Match": "*"}
    for n in range(5):
        edited = await attacker.staff.patch(path, json={"customFields": {"n": n}}, headers=headers)
    return edited


async def _half_a_request(attacker: Attacker) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", attacker.port)
    writer.write(b"POST /v1/api/helpdesk/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def _long_list(attacker: Attacker) -> httpx.Response:
    await attacker.staff.post("/tickets", json=_ticket(description=LONG))
    return await attacker.staff.get("/tickets", params={"limit": 20, "q": "s"})


async def _preview_far_ahead(attacker: Attacker) -> httpx.Response:
    calendar = {"name": "Rare", "timeZone": "UTC", "weekly": {"mon": [["00:00", "00:01"]]}}
    body = {"calendar": calendar, "start": "2026-01-01T00:00:00Z", "seconds": 366 * 86_400}
    return await attacker.staff.post("/calendars/preview", json=body)


ATTACKS: dict[str, Attack] = {
    "a header in an encoded word": opening(subject="=?utf-8?q?hi=0d=0aBcc=3A_evil=40x.example?="),
    "an encoded word that no codec reads": opening(subject="=?unicode_escape?q?=5Cud800?="),
    "300,000 empty tags": sending(json.dumps(_ticket(tags=[""] * 300_000)).encode()),
    "60,000 unknown fields": sending(json.dumps({f"f{n}": 0 for n in range(60_000)}).encode()),
    "numbers that grow": sending(b'{"subject":"s","description":"d","customFields":{"x":[' + b"1e308," * 9000 + b"1]}}"),
    "more digits than a page": sending(b'{"subject":"s","description":"d","customFields":{"x":' + b"1" * 4000 + b"}}"),
    "ten thousand levels": sending(b'{"customFields":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001),
    "a mebibyte of nothing": sending(b" " * MEBIBYTE),
    "two mebibytes": sending(b'{"subject":"' + b"x" * 2 * MEBIBYTE + b'"}'),
    "a body in gzip": sending(b"\x1f\x8b\x08" + b"\x00" * 500, **{"Content-Encoding": "gzip"}),
    "a mebibyte without a token": lambda it: it.stranger.post("/tickets", content=b"[" + b"0," * 500_000 + b"0]", headers=JSON),
    "a mebibyte to nowhere": lambda it: it.stranger.post("/nowhere", content=b'{"a":"' + b"x" * MEBIBYTE + b'"}', headers=JSON),
    "a filter of 4,000 values": asking("/tickets", status=",".join(["x"] * 4000)),
    "a tag of many tags": asking("/tickets", tag=",".join(f"t{n}" for n in range(1500))),
    "an address of 60 KB": asking("/tickets", q="q" * 60_000),
    "an id beyond the database": asking("/tickets/9223372036854775808"),
    "an assignee beyond the database": asking("/tickets", assigneeId="9" * 19),
    "a search for everything": asking("/tickets", q=" or ".join(["a"] * 100), sort="-updatedAt", limit=100),
    "a forged cursor": asking("/tickets", after="W10.W10"),
    "a head of 100 KB": lambda it: it.stranger.get("/tickets", headers={"X-Long": "x" * 100_000}),
    "a token of 60 KB": with_token("e30." + "x" * 60_000 + ".x"),
    "a token that nobody signed": with_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
    "a token of an unknown key": with_token("eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJ4In0.AAAA"),
    "a survey that is not": lambda it: it.stranger.post("/surveys/e30.x", json={"score": True}),
    "another merchant's ticket": _foreign_ticket,
    "one key, six times at once": _same_key_at_once,
    "an edit that is kept whole": _edit_again_and_again,
    "half a request": _half_a_request,
    "long texts, listed": _long_list,
    "a calendar of a minute a week": _preview_far_ahead,
}
