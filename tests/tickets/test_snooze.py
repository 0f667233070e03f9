"""Put aside until an instant. How it wakes is in tests/life."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.tickets.lifecycle import Status, allowed_from
from tests.support.desk import Desk, Merchant

A_DAY = timedelta(days=1)
ENDS = {"resume": "open", "pending": "pending", "resolve": "resolved", "close": "closed"}


async def snooze(desk: Desk, client: httpx.AsyncClient, ticket: dict[str, Any], ahead: timedelta = A_DAY) -> httpx.Response:
    return await client.post(f"/tickets/{ticket['id']}/snooze", json={"until": (desk.clock.now() + ahead).isoformat()})


async def test_a_snooze_is_a_hold_with_an_end(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    response = await snooze(desk, resting.ana, ticket)
    assert (response.status_code, response.json()["status"]) == (200, "on_hold")
    last = (await resting.get(ticket["id"], "/events"))["data"][-1]
    assert (last["kind"], last["changes"]["status"]) == ("ticket.snoozed", ["new", "on_hold"])
    assert last["changes"]["until"].replace("+00:00", "Z") == response.json()["snoozedUntil"]
    assert {cycle["status"] for cycle in (await resting.get(ticket["id"], "/sla"))["data"] if cycle["metric"] == "resolution"} == {"paused"}


async def test_its_reporter_does_not_see_the_end(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await snooze(desk, resting.ana, ticket)
    assert "snoozedUntil" not in (await resting.rita.get(f"/tickets/{ticket['id']}")).json()


@pytest.mark.parametrize("first", ["hold", "snooze"])
async def test_what_is_on_hold_only_gets_another_end(first: str, desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await (resting.ana.post(f"/tickets/{ticket['id']}/hold") if first == "hold" else snooze(desk, resting.ana, ticket))
    ledger = await resting.get(ticket["id"], "/sla/timeline")
    moved = (await snooze(desk, resting.ana, ticket, 2 * A_DAY)).json()
    last = (await resting.get(ticket["id"], "/events"))["data"][-1]
    assert (moved["status"], last["kind"], list(last["changes"])) == ("on_hold", "ticket.snoozed", ["until"])
    assert len((await resting.get(ticket["id"], "/sla/timeline"))["data"]) == len(ledger["data"])


async def test_the_same_end_again_changes_nothing(ticket: dict[str, Any], desk: Desk, resting: Merchant) -> None:
    body = {"until": (desk.clock.now() + A_DAY).isoformat()}
    first, second = [(await resting.ana.post(f"/tickets/{ticket['id']}/snooze", json=body)).json() for _ in range(2)]
    assert first == second


@pytest.mark.parametrize("status", ["resolved", "closed"])
async def test_there_is_no_snooze_where_there_is_no_hold(status: str, desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/{status.removesuffix('d')}")
    response = await snooze(desk, resting.ana, ticket)
    assert (response.status_code, response.json()["code"]) == (409, "illegal_move")
    assert response.json()["allowedTransitions"] == allowed_from(Status(status))


@pytest.mark.parametrize(
    ("ahead", "code"),
    [(timedelta(days=-1), "not_in_the_future"), (timedelta(), "not_in_the_future"), (timedelta(days=366, minutes=1), "too_far_ahead")],
)
async def test_the_end_lies_ahead_but_not_too_far(
    ahead: timedelta, code: str, desk: Desk, ticket: dict[str, Any], resting: Merchant
) -> None:
    response = await snooze(desk, resting.ana, ticket, ahead)
    assert (response.status_code, response.json()["errors"][0]["pointer"], response.json()["errors"][0]["code"]) == (422, "/until", code)
    assert (await resting.get(ticket["id"]))["status"] == "new"


UNTIL: list[Any] = [
    "tomorrow",
    "2027-01-01",
    "2027-01-01T00:00:00",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00",
    None,
    "",
    [],
    "1" * 400,
]


@pytest.mark.parametrize("body", [{}, {"until": None, "why": "x"}, *({"until": each} for each in UNTIL)], ids=str)
async def test_an_end_is_an_instant_with_a_zone(body: Any, ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.ana.post(f"/tickets/{ticket['id']}/snooze", json=body)
    assert response.status_code == 422, response.text
    assert all(error["pointer"] in {"/until", "/why"} for error in response.json()["errors"])


@pytest.mark.parametrize("verb", ENDS)
async def test_any_move_out_of_the_hold_ends_it(verb: str, desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await snooze(desk, resting.ana, ticket)
    moved = (await resting.ana.post(f"/tickets/{ticket['id']}/{verb}")).json()
    assert (moved["status"], moved["snoozedUntil"]) == (ENDS[verb], None)


async def test_a_reply_of_the_reporter_ends_it(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await snooze(desk, resting.ana, ticket)
    await resting.rita.post(f"/tickets/{ticket['id']}/messages", json={"body": "It works again."})
    seen = await resting.get(ticket["id"])
    assert (seen["status"], seen["snoozedUntil"]) == ("open", None)


async def test_an_agents_reply_and_a_new_owner_leave_it_asleep(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await snooze(desk, resting.ana, ticket)
    await resting.ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "The parts come on Friday."})
    await resting.ana.post(f"/tickets/{ticket['id']}/assign", json={"agentId": str(resting.agents["leo"])})
    seen = await resting.get(ticket["id"])
    assert (seen["status"], bool(seen["snoozedUntil"])) == ("on_hold", True)


async def test_a_stale_tag_snoozes_nothing(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    body = {"until": (desk.clock.now() + A_DAY).isoformat()}
    response = await resting.ana.post(f"/tickets/{ticket['id']}/snooze", json=body, headers={"If-Match": '"0"'})
    assert (response.status_code, response.json()["current"]["status"]) == (412, "new")
