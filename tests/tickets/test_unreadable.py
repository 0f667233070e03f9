"""A ticket whose SLA configuration can't be read spoils nothing of another ticket."""

import pytest
import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs

from models.people.tables import Agent
from models.tickets import repository
from models.tickets.assignment import Availability
from models.tickets.tables import Ticket
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    """Only Ana is there, with room for one ticket."""
    _, desk = quiet
    acme = await desk.merchant()
    async with desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Agent).values(availability=Availability.AWAY))
        await session.execute(
            sa.update(Agent).where(col(Agent.id) == acme.agents["ana"]).values(availability=Availability.AVAILABLE, capacity=1)
        )
    return acme


async def test_a_ticket_is_resolved_although_one_that_waits_beside_it_cannot_be_read(acme: Merchant) -> None:
    resolved, spoilt, sound = await claimed_spoilt_and_sound(acme, 1)
    with capture_logs() as lines:
        response = await acme.ana.post(f"/tickets/{resolved}/resolve")
    assert response.status_code == 200
    assert [line["ticket_id"] for line in lines if line["event"] == "ticket.unreadable"] == spoilt
    assert await owners(acme, [*spoilt, sound]) == [None, acme.agents["ana"]]


async def test_a_ticket_is_assigned_although_a_whole_page_before_it_cannot_be_read(acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "PICKED_UP_AT_ONCE", 2)
    resolved, spoilt, sound = await claimed_spoilt_and_sound(acme, 5)
    with capture_logs():
        assert (await acme.ana.post(f"/tickets/{resolved}/resolve")).status_code == 200
    assert await owners(acme, [*spoilt, sound]) == [None] * 5 + [acme.agents["ana"]]


async def claimed_spoilt_and_sound(acme: Merchant, number: int) -> tuple[int, list[int], int]:
    """Ana has the first; so many after it can't be read; the last one waits behind them."""
    claimed, *spoilt, sound = [int((await acme.open(category="general"))["id"]) for _ in range(number + 2)]
    assert (await acme.ana.post(f"/tickets/{claimed}/claim")).status_code == 200
    async with acme.desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Ticket).where(col(Ticket.id).in_(spoilt)).values(policy_version=99))
    return claimed, spoilt, sound


async def owners(acme: Merchant, tickets: list[int]) -> list[int | None]:
    async with acme.desk.database.reading(acme.id) as session:
        of = dict(iter(await session.execute(sa.select(col(Ticket.id), col(Ticket.assignee_id)))))
    return [of[ticket] for ticket in tickets]
