"""Who is there gets the work, and never more than he can carry."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import col
from temporalio.service import RPCError

from deploy.local.identity import Wanted
from models.people.roles import Role
from models.people.tables import Agent, Team
from models.tickets.assign import hold_teams
from tests.support.desk import Desk, Merchant


async def _say(merchant: Merchant, name: str, by: httpx.AsyncClient | None = None, **body: Any) -> httpx.Response:
    client = by or getattr(merchant, name)
    return await client.put(f"/agents/{merchant.agents[name]}/availability", json={"state": "available"} | body)


async def _owners(merchant: Merchant) -> Counter[str | None]:
    names = {str(id_): name for name, id_ in merchant.agents.items()} | {None: None}
    tickets = (await merchant.lars.get("/tickets", params={"limit": 100})).json()["data"]
    return Counter(names[ticket["assigneeId"]] for ticket in tickets)


async def _capacity(desk: Desk, merchant: Merchant, capacity: int) -> None:
    async with desk.database.writing(merchant.id) as session:
        await session.execute(sa.update(Agent).values(capacity=capacity))


async def test_an_agent_says_it_of_himself(acme: Merchant) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    response = await _say(acme, "ana", state="away", until=until)
    assert (response.status_code, response.json()["availability"], response.json()["awayUntil"][:19]) == (200, "away", until[:19])
    assert (await acme.lars.get(f"/agents/{acme.agents['ana']}")).json() == response.json()


async def test_a_lead_says_it_of_anybody_an_agent_does_not(acme: Merchant) -> None:
    assert (await _say(acme, "ana", by=acme.lars, state="away")).status_code == 200
    assert (await _say(acme, "ana", by=acme.leo)).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "busy"},
        {"state": "available", "until": "2030-01-01T00:00:00Z"},
        {"state": "away", "until": "2030-01-01T00:00:00"},
        {"state": "away", "until": "2020-01-01T00:00:00Z"},
    ],
)
async def test_what_is_no_availability_is_refused(body: dict[str, Any], acme: Merchant) -> None:
    response = await acme.ana.put(f"/agents/{acme.agents['ana']}/availability", json=body)
    assert response.status_code == 422


async def test_who_comes_back_picks_up_what_waits_the_most_urgent_first(desk: Desk, resting: Merchant) -> None:
    await _capacity(desk, resting, 2)
    waiting = [await resting.open(category="general", priority=priority) for priority in ("low", "urgent", "normal")]
    await asyncio.gather(*(_taken_in(desk, ticket) for ticket in waiting))
    await _say(resting, "ana")
    owners = [(await resting.get(ticket["id"]))["assigneeId"] for ticket in waiting]
    assert owners == [None, str(resting.agents["ana"]), str(resting.agents["ana"])]


async def _taken_in(desk: Desk, ticket: dict[str, Any]) -> None:
    """Until the workflow has looked for an agent and found none."""
    await desk.until(lambda: _events(desk, ticket), lambda names: "timer_started" in names)


async def _events(desk: Desk, ticket: dict[str, Any]) -> list[str]:
    try:
        return await desk.history(f"ticket-{ticket['id']}")
    except RPCError:
        return []


async def test_nobody_carries_more_than_he_can_however_many_open_at_once(desk: Desk, acme: Merchant) -> None:
    await _capacity(desk, acme, 2)
    opened = await asyncio.gather(*(acme.open(category="general") for _ in range(10)))
    await asyncio.gather(*(_taken_in(desk, ticket) for ticket in opened))
    assert await _owners(acme) == {"ana": 2, "leo": 2, "sina": 2, None: 4}


async def test_who_finishes_one_gets_the_next(desk: Desk, acme: Merchant) -> None:
    await _capacity(desk, acme, 1)
    for name in ("leo", "sina"):
        await _say(acme, name, state="away")
    first = await acme.opened_and_assigned(category="general")
    second = await acme.open(category="general")
    await _taken_in(desk, second)
    await acme.ana.post(f"/tickets/{first['id']}/resolve")
    assert (await acme.get(second["id"]))["assigneeId"] == str(acme.agents["ana"])


async def test_two_who_come_back_at_once_share_the_queue_without_overload(desk: Desk, resting: Merchant) -> None:
    await _capacity(desk, resting, 2)
    for ticket in [await resting.open(category="general") for _ in range(5)]:
        await _taken_in(desk, ticket)
    await asyncio.gather(_say(resting, "ana"), _say(resting, "leo"))
    assert await _owners(resting) == {"ana": 2, "leo": 2, None: 1}


async def test_the_work_is_shared_evenly(desk: Desk, acme: Merchant) -> None:
    opened = await asyncio.gather(*(acme.open(category="general") for _ in range(6)))
    await asyncio.gather(*(_taken_in(desk, ticket) for ticket in opened))
    assert await _owners(acme) == {"ana": 3, "leo": 3}


async def test_a_ticket_is_opened_while_its_team_is_held(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as session, asyncio.timeout(20):
        for team in (await session.execute(sa.select(col(Team.id)))).scalars():
            await hold_teams(session, team)
        assert await acme.open(category="general")


async def test_a_lead_of_some_organizers_speaks_only_for_themselves(desk: Desk, acme: Merchant) -> None:
    wanted = Wanted(sub=f"lars-{acme.id}", name="Lars", merchant_ids=(str(acme.id),), roles=(Role.LEAD,), organizer_ids=("11",))
    narrow = desk.client_with(desk.identity.token(wanted))
    others, own = [f"/agents/{acme.agents[name]}/availability" for name in ("ana", "lars")]
    assert (await narrow.put(others, json={"state": "away"})).status_code == 403
    assert (await narrow.put(own, json={"state": "away"})).json()["availability"] == "away"
