"""What a caller may send to hurt others, a small function each, and with which statuses it is answered: never with 5xx."""

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
TOO_MANY_REQUESTS = 429
CUT_OFF = {413, 414, 431}
"""Who sends so much may see the connection closed before the answer."""
LOST = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
REFUSAL, PAGE = 25_000, 2_000_000
"""Bytes of an answer at the most: of one that refuses, and of one that shows something."""


class Trial(NamedTuple):
    """An attack, and how it may be answered. Whoever attacks too often may be told so at any time."""

    attack: Attack
    statuses: frozenset[int]

    async def failure(self, attacker: Attacker) -> str | None:
        """Attack; say what is wrong with the answer, if anything is."""
        try:
            response = await self.attack(attacker)
        except LOST as error:
            return None if self.statuses & CUT_OFF else f"cut off: {error!r}"
        if response is None:
            return None
        if response.status_code not in self.statuses | {TOO_MANY_REQUESTS}:
            return f"{response.status_code} {response.text[:200]}"
        size = len(response.content)
        return None if size <= (PAGE if response.is_success else REFUSAL) else f"an answer of {size} bytes"


def ends(attack: Attack, *statuses: int) -> Trial:
    return Trial(attack, frozenset(statuses))


def _ticket(**fields: Any) -> dict[str, Any]:
    return {"subject": "s", "description": "d", "category": "general"} | fields


def opening(**fields: Any) -> Attack:
    return lambda attacker: attacker.staff.post("/tickets", json=_ticket(**fields))


def sending(content: bytes, **headers: str) -> Attack:
    return lambda attacker: attacker.reporter.post("/tickets", content=content, headers=JSON | headers)


def numbers(written: str) -> Attack:
    """Custom fields are the staff's."""
    content = json.dumps(_ticket(customFields={"x": "?"})).replace('"?"', written).encode()
    return lambda attacker: attacker.staff.post("/tickets", content=content, headers=JSON)


def asking(path: str, **params: Any) -> Attack:
    return lambda attacker: attacker.staff.get(path, params=params)


def with_token(token: str) -> Attack:
    return lambda attacker: attacker.stranger.get("/tickets", headers={"Authorization": f"Bearer {token}"})


async def _foreign_ticket(attacker: Attacker) -> httpx.Response:
    part = attacker.dice.choice(["", "/events", "/notes", "/sla", "/notifications", "/context"])
    return await attacker.staff.get(f"/tickets/{attacker.foreign}{part}")


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


def previewing(seconds: int, **calendar: Any) -> Attack:
    rare = {"name": "Rare", "timeZone": "UTC", "weekly": {"mon": [["00:00", "00:01"]]}} | calendar
    return lambda attacker: attacker.staff.post(
        "/calendars/preview", json={"calendar": rare, "start": "2026-01-01T00:00:00Z", "seconds": seconds}
    )


def _holidays(count: int) -> list[dict[str, Any]]:
    """Each opens four times a day."""
    hours = [[f"0{hour}:00", f"0{hour}:30"] for hour in range(4)]
    return [{"date": f"{2026 + n // 336}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}", "name": "x", "intervals": hours} for n in range(count)]


ATTACKS: dict[str, Trial] = {
    "a header in an encoded word": ends(opening(subject="=?utf-8?q?hi=0d=0aBcc=3A_evil=40x.example?="), 201),
    "an encoded word that no codec reads": ends(opening(subject="=?unicode_escape?q?=5Cud800?="), 201),
    "300,000 empty tags": ends(sending(json.dumps(_ticket(tags=[""] * 300_000), separators=(",", ":")).encode()), 422),
    "20,000 empty tags": ends(opening(tags=[""] * 20_000), 422),
    "12,000 bad fields": ends(opening(**{f"f{n}": 0 for n in range(12_000)}), 422),
    "60,000 unknown fields": ends(sending(json.dumps({f"f{n}": 0 for n in range(60_000)}).encode()), 422),
    "numbers that grow": ends(numbers(f"[{'1e308,' * 9000}1]"), 422),
    "more digits than a page": ends(numbers("1" * 4000), 422),
    "ten thousand levels": ends(sending(b'{"customFields":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001), 422),
    "a mebibyte of nothing": ends(sending(b" " * MEBIBYTE), 422),
    "two mebibytes": ends(sending(b'{"subject":"' + b"x" * 2 * MEBIBYTE + b'"}'), 413),
    "a body in gzip": ends(sending(b"\x1f\x8b\x08" + b"\x00" * 500, **{"Content-Encoding": "gzip"}), 415),
    "a mebibyte without a token": ends(
        lambda it: it.stranger.post("/tickets", content=b"[" + b"0," * 500_000 + b"0]", headers=JSON), 401, 413
    ),
    "a mebibyte to nowhere": ends(lambda it: it.stranger.post("/nowhere", content=b'{"a":"' + b"x" * MEBIBYTE + b'"}', headers=JSON), 413),
    "a filter of 4,000 values": ends(asking("/tickets", status=",".join(["x"] * 4000)), 422),
    "a tag of many tags": ends(asking("/tickets", tag=",".join(f"t{n}" for n in range(1500))), 422),
    "an address of 60 KB": ends(asking("/tickets", q="q" * 60_000), 414),
    "an id beyond the database": ends(asking("/tickets/9223372036854775808"), 404),
    "an assignee beyond the database": ends(asking("/tickets", assigneeId="9" * 19), 200),
    "a search for everything": ends(asking("/tickets", q=" or ".join(["a"] * 100), sort="-updatedAt", limit=100), 200),
    "a forged cursor": ends(asking("/tickets", after="W10.W10"), 422),
    "a head of 100 KB": ends(lambda it: it.stranger.get("/tickets", headers={"X-Long": "x" * 100_000}), 431),
    "a token of 60 KB": ends(with_token("e30." + "x" * 60_000 + ".x"), 431),
    "a token that nobody signed": ends(with_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."), 401),
    "a token of an unknown key": ends(with_token("eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJ4In0.AAAA"), 401),
    "a survey that is not": ends(lambda it: it.stranger.post("/surveys/e30.x", json={"score": True}), 404),
    "another merchant's ticket": ends(_foreign_ticket, 404),
    "one key, six times at once": ends(_same_key_at_once, 201, 409, 422),
    "an edit that is kept whole": ends(_edit_again_and_again, 200),
    "half a request": ends(_half_a_request),
    "long texts, listed": ends(_long_list, 200),
    "a calendar of a minute a week": ends(previewing(366 * 86_400), 422),
    "as many holidays as there may be": ends(previewing(3600, holidays=_holidays(500)), 200),
    "more holidays than there may be": ends(previewing(3600, holidays=_holidays(4000)), 422),
}
