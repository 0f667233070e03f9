"""An acknowledgement stops the later rungs of its cycle, until the ticket is reopened."""

from datetime import timedelta
from typing import Any

import pytest

from models.errors import Conflict
from models.sla.clock import ClockStatus
from models.sla.escalate import acknowledge
from models.sla.run_due import deadlines_of, inputs_of
from models.sla.tables import ConfigurationKind
from models.tickets.comments import reply
from models.tickets.lifecycle import Transition
from models.tickets.transitions import transition
from tests.support.auditor import _rows_agree
from tests.support.desk import Desk
from tests.support.frozen import NOON, SECOND, FrozenTicket, opened, redefine
from tests.support.isolated import Isolated


def rung(metric: str, level: int, at: float) -> dict[str, Any]:
    return {"level": level, "metric": metric, "atFraction": at, "notify": ["lead"]}


@pytest.fixture
async def two_ladders(quiet: tuple[Isolated, Desk]) -> FrozenTicket:
    """Rungs for the first response, due at 5 s, and for the resolution, due at 3 s and at 10 s."""
    _, desk = quiet
    acme = await desk.merchant()
    rungs = [rung("first_response", 1, 1), rung("resolution", 1, 0.3), rung("resolution", 2, 1)]
    await redefine(desk, acme, ConfigurationKind.LADDER, rungs=rungs)
    return await opened(desk, acme)


async def test_a_rung_of_a_met_metric_is_not_the_one_acknowledged(two_ladders: FrozenTicket) -> None:
    for second in (3, 5):
        await two_ladders.due(NOON + second * SECOND)
    async with two_ladders.at(NOON + 6 * SECOND, two_ladders.ana) as ticket:
        await reply(ticket, "We are on our way.")
        assert acknowledge(ticket, None).metric == "resolution"
    await two_ladders.due(NOON + 12 * SECOND)
    assert [(e.metric, e.level, e.acknowledged_at) for e in await two_ladders.rungs()] == [
        ("resolution", 1, NOON + 6 * SECOND),
        ("first_response", 1, None),
    ]
    await _rows_agree(two_ladders.desk, two_ladders.merchant)


@pytest.mark.parametrize("end", [Transition.RESOLVE, Transition.CLOSE])
async def test_a_finished_ticket_has_no_rung_to_acknowledge(two_ladders: FrozenTicket, end: Transition) -> None:
    await two_ladders.due(NOON + 3 * SECOND)
    async with two_ladders.at(NOON + 4 * SECOND, two_ladders.ana) as ticket:
        await transition(ticket, end)
    with pytest.raises(Conflict, match="reopen it first"):
        async with two_ladders.at(NOON + 5 * SECOND, two_ladders.ana) as ticket:
            acknowledge(ticket, None)


async def test_a_reopened_ticket_escalates_until_it_is_acknowledged_again(two_ladders: FrozenTicket) -> None:
    await two_ladders.due(NOON + 3 * SECOND)
    async with two_ladders.at(NOON + 4 * SECOND, two_ladders.ana) as ticket:
        await reply(ticket, "Done.")
        acknowledge(ticket, None)
        await transition(ticket, Transition.RESOLVE)
        await transition(ticket, Transition.REOPEN)
        assert "escalate resolution/1/2" in [f"{deadline.kind} {deadline.key}" for deadline in deadlines_of(inputs_of(ticket))]
    async with two_ladders.at(NOON + 5 * SECOND, two_ladders.ana) as ticket:
        assert acknowledge(ticket, None).acknowledged_at == NOON + 5 * SECOND
        assert {deadline.kind for deadline in deadlines_of(inputs_of(ticket))} == {"warn", "breach"}


async def test_a_rung_that_was_due_before_a_pause_is_taken_with_its_true_instant(frozen: FrozenTicket) -> None:
    """Temporal was down; the instants are kept in the row of the clock."""
    async with frozen.at(NOON + 11 * SECOND, frozen.ana) as ticket:
        await transition(ticket, Transition.PENDING)
    await frozen.due(NOON + timedelta(hours=1))
    resolution = await frozen.clock()
    assert resolution.status == ClockStatus.BREACHED
    assert resolution.spent == 11 * SECOND
    assert resolution.due_at is None
    due = {level: NOON + second * SECOND for level, second in ((1, 7.5), (2, 10))}
    assert resolution.reached == due
    assert {e.level: e.due_at for e in await frozen.rungs()} == due
