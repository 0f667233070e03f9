"""A snooze ends when it was to end, whenever the engine comes to it."""

from datetime import timedelta

import pytest

from models.sla.clock import ClockStatus
from models.sla.policy import Metric
from models.tickets.comments import reply
from models.tickets.edit import edit
from models.tickets.lifecycle import Move, Priority, Status
from models.tickets.snooze import snooze
from models.tickets.tables import Event
from models.tickets.transitions import move
from tests.support.auditor import rows
from tests.support.frozen import NOON, SECOND, Counter

TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(("late", "status"), [(-TICK, Status.ON_HOLD), (timedelta(), Status.OPEN)], ids=["just before", "exactly at"])
async def test_a_snooze_ends_at_its_instant_and_not_before(ticket: Counter, late: timedelta, status: Status) -> None:
    until = NOON + timedelta(days=1)
    async with ticket.at(NOON + timedelta(seconds=4), ticket.ana) as case:
        await reply(case, "The parts come tomorrow.")
        snooze(case, until)
    await ticket.due(until + late)
    async with ticket.at(until) as case:
        assert case.ticket.status is status
        clock = case.clocks.latest(Metric.RESOLUTION)
    assert clock is not None
    assert clock.due_at == (until + timedelta(seconds=6) if status is Status.OPEN else None)
    assert await ticket.ladder() == []


async def test_a_wake_that_comes_twice_or_too_late_wakes_once(ticket: Counter) -> None:
    async with ticket.at(NOON, ticket.ana) as case:
        snooze(case, NOON + TICK)
    for _ in range(2):
        await ticket.due(NOON + timedelta(seconds=1))
    async with ticket.at(NOON + timedelta(seconds=2), ticket.ana) as case:
        await move(case, Move.HOLD)
    await ticket.due(NOON + timedelta(seconds=3))
    kinds = [event.kind for event in await rows(ticket.desk, ticket.merchant, Event)]
    assert kinds.count("ticket.woken") == 1
    assert kinds[-1] == "ticket.held"


async def test_a_late_wake_moves_no_promise(ticket: Counter) -> None:
    until, late = NOON + timedelta(days=1), NOON + timedelta(days=1, hours=4)
    async with ticket.at(NOON + 4 * SECOND, ticket.ana) as case:
        await reply(case, "The parts come tomorrow.")
        snooze(case, until)
    await ticket.due(late)
    resolution = await ticket.clock()
    assert (resolution.running_since, resolution.due_at) == (until, until + 6 * SECOND)
    assert (resolution.status, resolution.breached_at) == (ClockStatus.BREACHED, until + 6 * SECOND)
    assert [(e.level, e.due_at) for e in await ticket.rungs()] == [
        (1, until + 3.5 * SECOND),
        (2, until + 6 * SECOND),
        (3, until + 8.5 * SECOND),
    ]


async def test_a_late_wake_turns_no_clock_before_it_was_last_timed(ticket: Counter) -> None:
    until = NOON + timedelta(hours=1)
    async with ticket.at(NOON + 4 * SECOND, ticket.ana) as case:
        snooze(case, until)
    async with ticket.at(until + timedelta(hours=1), ticket.ana) as case:
        await edit(case, {"category": "general", "priority": Priority.URGENT})
    await ticket.due(until + timedelta(hours=2))
    resolution = await ticket.clock(Metric.RESOLUTION)
    assert resolution.running_since == until + timedelta(hours=1)
