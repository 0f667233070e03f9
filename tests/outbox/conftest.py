"""What tests of the maintenance share."""

from collections.abc import AsyncIterator

import pytest

from activities.maintenance import MaintenanceActivities
from tests.support.desk import Desk
from tests.support.isolated import Isolated


@pytest.fixture
async def maintenance(quiet: tuple[Isolated, Desk]) -> AsyncIterator[MaintenanceActivities]:
    isolated, desk = quiet
    activities = MaintenanceActivities(desk.database, isolated.urls[1])
    yield activities
    await activities.aclose()
