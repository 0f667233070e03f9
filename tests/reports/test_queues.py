"""The queues as they stand: what each team has to do, and who is there."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.people.tables import Agent, Team
from models.sla.clock import ClockStatus
from models.tickets.assignment import Availability
from models.tickets.tables import Ticket
from tests.sla.configuration_cast import DAYS
from tests.support.desk import Desk, Merchant


async def _queue(merchant: Merchant, name: str = "Support", by: Any = None) -> dict[str, Any]:
    response = await (by or merchant.lars).get("/reports/queues")
    assert response.status_code == 200, response.text
    return dict(next(queue for queue in response.json()["data"] if queue["name"] == name))


async def _set(desk: Desk, merchant: Merchant, table: Any, ids: list[int], **values: Any) -> None:
    async with desk.database.writing(merchant.id) as session:
        await session.execute(sa.update(table).where(col(table.id).in_(ids)).values(**values))


async def test_an_empty_queue_with_everybody_away(resting: Merchant) -> None:
    queue = await _queue(resting)
    assert queue.pop("teamId")
    assert queue == {
        "name": "Support",
        "open": 0,
        "unassigned": 0,
        "breached": 0,
        "imminent": 0,
        "oldestWaitingAt": None,
        "agentsAvailable": 0,
        "capacityLeft": 0,
    }


async def test_tickets_are_counted_until_they_are_finished(resting: Merchant) -> None:
    oldest, second, third, fourth = [await resting.open(category="general") for _ in range(4)]
    await resting.ana.post(f"/tickets/{second['id']}/claim")
    await resting.ana.post(f"/tickets/{third['id']}/resolve")
    await resting.lars.delete(f"/tickets/{fourth['id']}")
    queue = await _queue(resting)
    assert (queue["open"], queue["unassigned"], queue["oldestWaitingAt"]) == (2, 1, oldest["createdAt"])


@pytest.mark.parametrize("status", [ClockStatus.BREACHED, ClockStatus.IMMINENT])
async def test_what_is_late_and_what_will_soon_be(status: ClockStatus, desk: Desk, resting: Merchant) -> None:
    tickets = [await resting.open(category="general") for _ in range(3)]
    await _set(desk, resting, Ticket, [int(ticket["id"]) for ticket in tickets[:2]], sla_status=status)
    queue = await _queue(resting)
    assert {name: queue[name] for name in ("breached", "imminent")} == {"breached": 0, "imminent": 0, status.value: 2}


async def test_who_is_there_and_what_they_can_take(desk: Desk, resting: Merchant) -> None:
    """Away ends by itself; who has more than he can take has no room; a lead gets nothing from the queue."""
    now, agents = desk.clock.now(), resting.agents
    for name, ahead in (("leo", -1), ("sina", 60)):
        await _set(desk, resting, Agent, [agents[name]], away_until=now + timedelta(seconds=ahead))
    await _set(desk, resting, Agent, [agents["ana"]], availability=Availability.AVAILABLE, capacity=1)
    await _set(desk, resting, Agent, [agents["lars"]], availability=Availability.AVAILABLE)
    for owner in ("leo", "ana", "ana"):
        ticket = await resting.open(category="general")
        await resting.lars.post(f"/tickets/{ticket['id']}/assign", json={"agentId": str(agents[owner])})
    queue = await _queue(resting)
    assert (queue["agentsAvailable"], queue["capacityLeft"]) == (2, 19)


async def test_a_token_of_one_organizer_counts_its_tickets_alone(resting: Merchant) -> None:
    for organizer in ({"organizerId": "77"}, {"organizerId": "78"}, {}):
        await resting.open(category="general", **organizer)
    olive = resting.client("olive", "lead", organizer_ids=("77",))
    assert ((await _queue(resting))["open"], (await _queue(resting, by=olive))["open"]) == (3, 1)


async def test_every_team_is_there_and_none_of_another_merchant(desk: Desk, resting: Merchant, globex: Merchant) -> None:
    async with desk.database.writing(resting.id) as session:
        session.insert(Team(merchant_id=resting.id, id=session.new_id(), name="Back office"))
        await session.write()
    await globex.open(category="general")
    queues = (await resting.lars.get("/reports/queues")).json()["data"]
    assert [(queue["name"], queue["open"], queue["agentsAvailable"]) for queue in queues] == [("Back office", 0, 0), ("Support", 0, 0)]


async def test_who_is_not_on_shift_is_not_there(desk: Desk, resting: Merchant) -> None:
    """By the newest version of the calendar."""
    agents, in_two_days = resting.agents, DAYS[(desk.clock.now().weekday() + 2) % 7]
    later = {"name": "Later", "timeZone": "UTC", "weekly": {in_two_days: [["09:00", "12:00"]]}}
    always = {day: [["00:00", "24:00"]] for day in DAYS}
    shift = (await resting.adam.post("/calendars", json=later)).json()["id"]
    await _set(desk, resting, Agent, [agents["ana"], agents["leo"]], availability=Availability.AVAILABLE)
    await _set(desk, resting, Agent, [agents["ana"]], shift_calendar_id=int(shift))
    queue = await _queue(resting)
    assert (queue["agentsAvailable"], queue["capacityLeft"]) == (1, 20)
    assert (await resting.adam.post(f"/calendars/{shift}/versions", json=later | {"weekly": always})).status_code == 201
    assert (await _queue(resting))["agentsAvailable"] == 2
