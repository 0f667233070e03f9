"""The same POST twice has one effect and one answer."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.desk import Desk, Merchant

BODY = {"subject": "The till", "description": "It is stuck.", "category": "general"}


async def _open(client: httpx.AsyncClient, key: str, **fields: Any) -> httpx.Response:
    return await client.post("/tickets", json=BODY | fields, headers={"Idempotency-Key": key})


async def _count(merchant: Merchant) -> int:
    return int((await merchant.lars.get("/tickets/count")).json()["count"])


async def test_the_same_key_gives_the_same_answer(resting: Merchant) -> None:
    first, second = [await _open(resting.rita, "k-1") for _ in range(2)]
    assert (second.status_code, second.content) == (201, first.content)
    assert [second.headers[name] for name in ("Location", "ETag")] == [first.headers[name] for name in ("Location", "ETag")]
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")
    assert await _count(resting) == 1


async def test_fifty_at_once_open_one_ticket(resting: Merchant) -> None:
    answers = await asyncio.gather(*(_open(resting.rita, "k-50") for _ in range(50)))
    opened = {response.json()["id"] for response in answers if response.status_code == 201}
    waiting = {response.json()["code"] for response in answers if response.status_code != 201}
    assert (len(opened), await _count(resting)) == (1, 1)
    assert waiting <= {"idempotency_in_progress"}
    assert {response.headers.get("Retry-After") for response in answers if response.status_code == 409} <= {"1"}


@pytest.mark.parametrize("other", [{"subject": "Another till"}, {"tags": ["x"]}])
async def test_the_same_key_for_another_body_is_refused(other: dict[str, Any], resting: Merchant) -> None:
    await _open(resting.rita, "k-2")
    response = await _open(resting.rita, "k-2", **other)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert await _count(resting) == 1


async def test_a_key_is_the_callers_own(resting: Merchant, globex: Merchant) -> None:
    clients = (resting.rita, resting.ana, globex.rita)
    answers = [await _open(client, "k-3") for client in clients]
    assert len({response.json()["id"] for response in answers}) == len(clients)
    assert (await _count(resting), await _count(globex)) == (2, 1)


async def test_a_key_is_good_for_one_route(ticket: dict[str, Any], resting: Merchant) -> None:
    path = f"/tickets/{ticket['id']}"
    verbs = [await resting.ana.post(f"{path}/{verb}", headers={"Idempotency-Key": "k-4"}) for verb in ("hold", "resume", "hold")]
    assert [response.json()["status"] for response in verbs] == ["on_hold", "open", "on_hold"]
    assert verbs[2].headers["Idempotent-Replayed"] == "true"
    assert (await resting.get(ticket["id"]))["status"] == "open"


async def test_a_reply_is_said_once(ticket: dict[str, Any], resting: Merchant) -> None:
    for _ in range(3):
        await resting.ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "b"}, headers={"Idempotency-Key": "k-5"})
    assert len((await resting.get(ticket["id"], "/messages"))["data"]) == 1


async def test_a_refused_request_keeps_no_answer(resting: Merchant) -> None:
    assert (await _open(resting.rita, "k-6", category="nope")).status_code == 422
    assert (await _open(resting.rita, "k-6")).status_code == 201


async def test_after_a_day_a_key_is_forgotten(desk: Desk, resting: Merchant) -> None:
    await _open(resting.rita, "k-7")
    desk.clock.ahead += timedelta(hours=23)
    assert (await _open(resting.rita, "k-7")).headers["Idempotent-Replayed"] == "true"
    desk.clock.ahead += timedelta(hours=2)
    assert (await _open(resting.rita, "k-7", subject="Another")).status_code == 201
    assert await _count(resting) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "a\x7fb"])
async def test_a_key_has_1_to_255_printable_characters(key: str, acme: Merchant) -> None:
    response = await _open(acme.rita, key)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize("key", ["x" * 255, "'; drop table ticket; --", "é".encode("latin-1")])
async def test_any_printable_key_does(key: str, resting: Merchant) -> None:
    assert [(await _open(resting.rita, key)).status_code for _ in range(2)] == [201, 201]
    assert await _count(resting) == 1


async def test_a_key_has_no_meaning_on_a_get(ticket: dict[str, Any], resting: Merchant) -> None:
    for _ in range(2):
        assert "Idempotent-Replayed" not in (await resting.rita.get("/tickets", headers={"Idempotency-Key": "k"})).headers
