"""Acme at rest, for tests in which nothing may happen by itself."""

from typing import Any

import pytest
import sqlalchemy as sa

from models.people.tables import Agent
from models.tickets.assignment import Availability
from tests.support.desk import Desk, Merchant


@pytest.fixture
async def resting(desk: Desk, acme: Merchant) -> Merchant:
    """Acme with everybody away: no ticket gets an owner by itself."""
    async with desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Agent).values(availability=Availability.AWAY))
    return acme


@pytest.fixture
async def ticket(resting: Merchant) -> dict[str, Any]:
    """A new ticket that nobody has, with hours to its first deadline."""
    return await resting.open(category="general")
