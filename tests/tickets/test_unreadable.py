"""A ticket whose SLA configuration can't be read spoils nothing of another ticket."""

import pytest
import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs

from models.people.tables import Agent
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
    resolved, spoilt, sound = [(await acme.open(category="general"))["id"] for _ in range(3)]
    assert (await acme.ana.post(f"/tickets/{resolved}/claim")).status_code == 200
    async with acme.desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Ticket).where(col(Ticket.id) == int(spoilt)).values(policy_version=99))
    with capture_logs() as lines:
        response = await acme.ana.post(f"/tickets/{resolved}/resolve")
    assert response.status_code == 200
    assert [line["ticket_id"] for line in lines if line["event"] == "ticket.unreadable"] == [int(spoilt)]
    async with acme.desk.database.reading(acme.id) as session:
        owners = {str(id_): owner for id_, owner in await session.execute(sa.select(col(Ticket.id), col(Ticket.assignee_id)))}
    assert (owners[spoilt], owners[sound]) == (None, acme.agents["ana"])
