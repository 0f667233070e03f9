"""Who asks for the SLA sees what is so now, also while nobody acts on it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.desk import Desk
from tests.support.frozen import NOON, FrozenDesk
from tests.support.isolated import Isolated


@pytest.mark.parametrize(("second", "status"), [(10, "running"), (11, "breached")])
async def test_a_breach_that_nobody_recorded_yet_is_one(quiet: tuple[Isolated, Desk], second: int, status: str) -> None:
    _, desk = quiet
    noon = FrozenDesk(desk, await desk.merchant())
    ticket = await noon.open("ana")
    noon.now = NOON + timedelta(seconds=second)
    cycles: list[dict[str, Any]] = (await noon.acme.get(ticket, "/sla"))["data"]
    resolution = next(cycle for cycle in cycles if cycle["metric"] == "resolution")
    assert resolution["status"] == status
    assert resolution["remainingSeconds"] == 10 - second
    assert (resolution["breachedAt"] is None) is (status == "running")
