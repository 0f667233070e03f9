"""The SLA of a ticket is shown as of now, also before anything has acted on it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.desk import Desk
from tests.support.frozen import NOON, FrozenDesk
from tests.support.isolated import Isolated


@pytest.mark.parametrize(("second", "status"), [(10, "running"), (11, "breached")])
async def test_an_overdue_clock_is_shown_as_breached_before_the_breach_is_recorded(
    quiet: tuple[Isolated, Desk], second: int, status: str
) -> None:
    _, desk = quiet
    noon = FrozenDesk(desk, await desk.merchant())
    ticket = await noon.open("ana")
    noon.now = NOON + timedelta(seconds=second)
    cycles: list[dict[str, Any]] = (await noon.acme.get(ticket, "/sla"))["data"]
    resolution = next(cycle for cycle in cycles if cycle["metric"] == "resolution")
    assert resolution["status"] == status
    assert resolution["remainingSeconds"] == 10 - second
    assert (resolution["breachedAt"] is None) is (status == "running")
