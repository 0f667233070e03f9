"""A snooze ends at its instant, however late the deadline is run."""

from datetime import timedelta

import pytest

from models.sla.clock import ClockStatus
from models.sla.policy import Metric
from models.tickets.comments import reply
from models.tickets.edit import edit
from models.tickets.lifecycle import Priority, Status, Transition
from models.tickets.snooze import snooze
from models.tickets.tables import Event
from models.tickets.transitions import transition
from tests.support.auditor import rows
from tests.support.frozen import NOON, SECOND, FrozenTicket

TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(("late", "status"), [(-TICK, Status.ON_HOLD), (timedelta(), Status.OPEN)], ids=["just before", "exactly at"])
async def test_a_snooze_ends_at_its_instant_and_not_before(frozen: FrozenTicket, late: timedelta, status: Status) -> None:
    until = NOON + timedelta(days=1)
    async with frozen.at(NOON + timedelta(seconds=4), frozen.ana) as ticket:
        await reply(ticket, "The parts come tomorrow.")
        snooze(ticket, until)
    await frozen.due(until + late)
    async with frozen.at(until) as ticket:
        assert ticket.row.status is status
        clock = ticket.clocks.latest(Metric.RESOLUTION)
    assert clock is not None
    assert clock.due_at == (until + timedelta(seconds=6) if status is Status.OPEN else None)
    assert await frozen.ladder() == []


async def test_a_wake_that_comes_twice_or_too_late_opens_the_ticket_once(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON, frozen.ana) as ticket:
        snooze(ticket, NOON + TICK)
    for _ in range(2):
        await frozen.due(NOON + timedelta(seconds=1))
    async with frozen.at(NOON + timedelta(seconds=2), frozen.ana) as ticket:
        await transition(ticket, Transition.HOLD)
    await frozen.due(NOON + timedelta(seconds=3))
    kinds = [event.kind for event in await rows(frozen.desk, frozen.merchant, Event)]
    assert kinds.count("ticket.woken") == 1
    assert kinds[-1] == "ticket.held"


async def test_a_late_wake_postpones_no_deadline(frozen: FrozenTicket) -> None:
    until, late = NOON + timedelta(days=1), NOON + timedelta(days=1, hours=4)
    async with frozen.at(NOON + 4 * SECOND, frozen.ana) as ticket:
        await reply(ticket, "The parts come tomorrow.")
        snooze(ticket, until)
    await frozen.due(late)
    resolution = await frozen.clock()
    assert resolution.running_since == until
    assert resolution.due_at == until + 6 * SECOND
    assert resolution.status == ClockStatus.BREACHED
    assert resolution.breached_at == until + 6 * SECOND
    assert [(e.level, e.due_at) for e in await frozen.rungs()] == [
        (1, until + 3.5 * SECOND),
        (2, until + 6 * SECOND),
        (3, until + 8.5 * SECOND),
    ]


async def test_a_late_wake_changes_no_clock_before_its_last_change(frozen: FrozenTicket) -> None:
    until = NOON + timedelta(hours=1)
    async with frozen.at(NOON + 4 * SECOND, frozen.ana) as ticket:
        snooze(ticket, until)
    async with frozen.at(until + timedelta(hours=1), frozen.ana) as ticket:
        await edit(ticket, {"category": "general", "priority": Priority.URGENT})
    await frozen.due(until + timedelta(hours=2))
    resolution = await frozen.clock(Metric.RESOLUTION)
    assert resolution.running_since == until + timedelta(hours=1)
