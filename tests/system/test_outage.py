"""Many deadlines come due while no worker runs."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.people.tables import Agent
from models.sla.policy import Metric
from models.sla.tables import Escalation, SlaClock
from models.tickets.messages import TicketFacts
from models.tickets.tables import Ticket
from tests.support.auditor import audit, facts_of, rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated, desk_without_a_worker, worker_process
from tests.system.jobs import HOUR, begun, over, policy_of_billing, publish

TICKETS = 40
APART = timedelta(seconds=1)
"""Between two rungs."""
A_STOP = timedelta(seconds=3)
"""How long a worker may take to stop."""
LADDER = {
    "name": "Close together",
    "rungs": [
        {"level": 1, "metric": "resolution", "offsetSeconds": -1, "notify": ["assignee"]},
        {"level": 2, "metric": "resolution", "offsetSeconds": 0, "reassign": "senior"},
        {"level": 3, "metric": "resolution", "offsetSeconds": 1, "reassign": "lead"},
    ],
}


@pytest.mark.slow
async def test_after_an_outage_each_ticket_has_its_highest_rung_once_with_its_true_instant(isolated: Isolated) -> None:
    async with desk_without_a_worker(isolated) as desk:
        acme = await desk.merchant()
        await make_room(desk, acme)
        policy = await policy_of_billing(acme, HOUR, ladderId=await ladder(acme), warnAtFractions=[])
        async with worker_process(isolated, "deploy") as worker:
            took = await open_all(desk, acme)
            await bring_deadlines_near(desk, acme, policy, took)
            worker.terminate()
            await worker.wait()
        assert await rows(desk, acme, Escalation) == []
        dues = await due_instants(desk, acme)
        await desk.until(clock_of(desk), lambda now: now > max(dues.values()) + APART, seconds=60)
        async with worker_process(isolated, "deploy"):
            await desk.until(lambda: rows(desk, acme, Ticket), lambda all_: all(t.escalation_level == 3 for t in all_), seconds=60)
            await audit(desk, acme)
        await all_are_at_level_three(desk, acme, dues)


def clock_of(desk: Desk) -> Callable[[], Awaitable[datetime]]:
    async def now() -> datetime:
        return desk.clock.now()

    return now


async def make_room(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Agent).values(capacity=TICKETS))


async def ladder(acme: Merchant) -> str:
    response = await acme.adam.post("/escalation-ladders", json=LADDER)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def open_all(desk: Desk, acme: Merchant) -> timedelta:
    """Open all tickets at one instant and wait until each is assigned; return how long that took."""
    at = desk.clock.now()
    for number in range(TICKETS):
        desk.clock.ahead = at - datetime.now(UTC)
        await acme.open(category="billing", subject=f"Till {number}")
    desk.clock.ahead = timedelta()
    await desk.until(lambda: rows(desk, acme, Ticket), lambda all_: all(ticket.assignee_id for ticket in all_), seconds=60)
    return desk.clock.now() - at


async def bring_deadlines_near(desk: Desk, acme: Merchant, policy: dict[str, Any], soon: timedelta) -> None:
    """Bring the deadlines of all tickets near by a recalculation, and wait until every workflow knows them. That is faster than opening."""
    opened = await rows(desk, acme, Ticket)
    seconds = (desk.clock.now() - opened[0].created_at + soon + A_STOP).total_seconds()
    job = await over(desk, acme, await begun(acme, await publish(acme, policy, ceil(seconds))))
    assert job["changed"] == TICKETS
    for ticket in await rows(desk, acme, Ticket):
        await desk.until(partial(facts_of, desk, ticket.id), partial(_has, ticket.facts_version))


def _has(version: int, facts: TicketFacts) -> bool:
    return facts.version >= version


async def due_instants(desk: Desk, acme: Merchant) -> dict[int, datetime]:
    clocks = await rows(desk, acme, SlaClock, col(SlaClock.metric) == Metric.RESOLUTION)
    return {clock.ticket_id: clock.due_at for clock in clocks}


async def all_are_at_level_three(desk: Desk, acme: Merchant, dues: dict[int, datetime]) -> None:
    escalations = await rows(desk, acme, Escalation)
    assert {ticket.assignee_id for ticket in await rows(desk, acme, Ticket)} == {acme.agents["lars"]}
    for ticket_id, due_at in dues.items():
        taken = [(each.level, each.outcome, each.due_at) for each in escalations if each.ticket_id == ticket_id]
        assert taken == [(1, "superseded", due_at - APART), (2, "superseded", due_at), (3, "reassigned", due_at + APART)]
