"""What happens at the very instant of a deadline, just before it and just after: judged from the row, by the instant of the deed."""

from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.operations.case import Case
from models.operations.converse import needs_follow_up, note, reply
from models.operations.edit import edit
from models.operations.errors import Conflict
from models.operations.move import move
from models.operations.removal import delete, restore
from models.operations.snooze import snooze
from models.policy.clock import ClockStatus
from models.policy.lifecycle import Move, Priority, Status
from models.policy.sla import Metric
from models.tables.sla import EscalationOutcome
from models.tables.ticket import Event
from tests.auditor import rows
from tests.counter import FIRST_RESPONSE, NOON, RESOLUTION, Counter

TICK = timedelta(microseconds=1)
A_WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("late", "status"),
    [(-TICK, ClockStatus.ACHIEVED), (timedelta(), ClockStatus.ACHIEVED), (TICK, ClockStatus.BREACHED)],
    ids=["just before", "exactly at", "just after"],
)
async def test_a_reply_around_the_deadline(ticket: Counter, late: timedelta, status: ClockStatus) -> None:
    """The engine has not woken yet: the breach is recorded by the reply itself, as of when it became true."""
    async with ticket.at(NOON + FIRST_RESPONSE + late, ticket.ana) as case:
        await reply(case, "We are on our way.")
    async with ticket.at(NOON + timedelta(seconds=6)) as case:
        clock = case.clocks.latest(Metric.FIRST_RESPONSE)
    assert clock is not None
    assert clock.status is status
    assert clock.breached_at == (NOON + FIRST_RESPONSE if status is ClockStatus.BREACHED else None)


@pytest.mark.parametrize(("late", "levels"), [(-TICK, [1]), (timedelta(), [1, 2])], ids=["just before", "exactly at"])
async def test_a_rung_is_due_at_its_instant_and_not_before(ticket: Counter, late: timedelta, levels: list[int]) -> None:
    await ticket.due(NOON + RESOLUTION * 0.75)
    await ticket.due(NOON + RESOLUTION + late)
    assert [level for level, _ in await ticket.ladder()] == levels


async def test_a_deadline_that_is_acted_on_twice_is_taken_once(ticket: Counter) -> None:
    for _ in range(2):
        await ticket.due(NOON + RESOLUTION)
    assert await ticket.ladder() == [(1, EscalationOutcome.SUPERSEDED), (2, EscalationOutcome.REASSIGNED)]


async def test_of_three_rungs_that_are_due_at_once_only_the_highest_is_taken(ticket: Counter) -> None:
    await ticket.due(NOON + RESOLUTION * 1.25)
    assert [outcome for _, outcome in await ticket.ladder()] == [
        EscalationOutcome.SUPERSEDED,
        EscalationOutcome.SUPERSEDED,
        EscalationOutcome.REASSIGNED,
    ]


async def test_a_pause_over_the_deadline_moves_it_by_its_length(ticket: Counter) -> None:
    async with ticket.at(NOON + timedelta(seconds=4), ticket.ana) as case:
        await reply(case, "Which till?")
        await move(case, Move.PENDING)
    await ticket.due(NOON + timedelta(days=3))
    async with ticket.at(NOON + timedelta(days=5), ticket.ana) as case:
        await move(case, Move.RESUME)
    resolution = await ticket.clock()
    assert (resolution.status, resolution.due_at) == (ClockStatus.RUNNING, NOON + timedelta(days=5, seconds=6))
    assert await ticket.ladder() == []


async def test_a_pause_after_the_deadline_takes_no_breach_back(ticket: Counter) -> None:
    async with ticket.at(NOON + timedelta(seconds=11), ticket.ana) as case:
        await move(case, Move.PENDING)
    resolution = await ticket.clock()
    assert (resolution.status, resolution.breached_at) == (ClockStatus.BREACHED, NOON + RESOLUTION)


async def test_another_priority_of_another_policy_keeps_what_was_spent(ticket: Counter) -> None:
    async with ticket.at(NOON + timedelta(seconds=2), ticket.ana) as case:
        await edit(case, {"category": "general", "priority": Priority.URGENT})
    resolution = await ticket.clock()
    assert (resolution.target, resolution.spent) == (timedelta(hours=4), timedelta(seconds=2))
    assert resolution.due_at == NOON + timedelta(hours=4)


async def test_while_a_ticket_is_deleted_nothing_is_due_and_afterwards_its_clocks_go_on(ticket: Counter) -> None:
    async with ticket.at(NOON + timedelta(seconds=3), ticket.ana) as case:
        delete(case)
    await ticket.due(NOON + timedelta(days=1))
    assert await ticket.ladder() == []
    async with ticket.at(NOON + timedelta(days=2), ticket.ana) as case:
        restore(case)
    resolution = await ticket.clock()
    assert (resolution.status, resolution.due_at) == (ClockStatus.RUNNING, NOON + timedelta(days=2, seconds=7))


async def test_what_resolving_had_cancelled_stays_cancelled_over_a_deletion(ticket: Counter) -> None:
    """A ticket that was resolved without an answer has no first response to give any more."""
    for second, deed in ((1, lambda case: move(case, Move.RESOLVE)), (2, delete), (3, restore), (4, lambda case: move(case, Move.REOPEN))):
        async with ticket.at(NOON + timedelta(seconds=second), ticket.ana) as case:
            done: Any = deed(case)
            if done is not None:
                await done
    assert (await ticket.clock(Metric.FIRST_RESPONSE)).status is ClockStatus.CANCELLED
    assert (await ticket.clock()).status is ClockStatus.RUNNING


async def test_a_note_from_a_process_whose_clock_is_ahead_makes_nothing_due(ticket: Counter) -> None:
    ahead = NOON + timedelta(hours=2)
    async with ticket.at(ahead, ticket.ana) as case:
        await note(case, "Two hours ahead of everybody else.")
    await ticket.due(NOON + RESOLUTION * 0.75)
    assert [level for level, _ in await ticket.ladder()] == [1]
    async with ticket.at(NOON + timedelta(seconds=8), ticket.ana) as case:
        await edit(case, {"category": "general"})
        await move(case, Move.PENDING)
    resolution = await ticket.clock()
    assert (resolution.status, resolution.spent) == (ClockStatus.PAUSED, timedelta(seconds=8))
    assert resolution.breached_at is None
    events = await rows(ticket.desk, ticket.merchant, Event)
    assert [event.at for event in events[1:]] == [ahead] * (len(events) - 1), "the audit goes forward only"


async def test_clocks_that_a_process_ahead_has_turned_never_turn_before(ticket: Counter) -> None:
    ahead = NOON + timedelta(hours=2)
    async with ticket.at(ahead, ticket.ana) as case:
        await move(case, Move.PENDING)
    async with ticket.at(NOON + timedelta(seconds=8), ticket.ana) as case:
        await move(case, Move.RESUME)
        delete(case)
    async with ticket.at(NOON + timedelta(seconds=9), ticket.ana) as case:
        restore(case)
    resolution = await ticket.clock()
    assert (resolution.spent, resolution.running_since) == (timedelta(hours=2), ahead)


@pytest.mark.parametrize(("late", "is_open"), [(timedelta(), True), (TICK, False)], ids=["exactly at", "just after"])
async def test_the_window_for_reopening_includes_its_end(ticket: Counter, late: timedelta, is_open: bool) -> None:  # noqa: FBT001 - a table
    async with ticket.at(NOON, ticket.ana) as case:
        await move(case, Move.RESOLVE)
    async with ticket.at(NOON + A_WEEK + late, ticket.rita) as case:
        assert needs_follow_up(case) is not is_open
        with nullcontext() if is_open else pytest.raises(Conflict, match="too long ago"):
            await move(case, Move.REOPEN)
    async with ticket.at(NOON + A_WEEK + late, ticket.ana) as case:
        assert not needs_follow_up(case)
        assert case.ticket.status is (Status.OPEN if is_open else Status.RESOLVED)


async def test_a_deletion_moves_what_was_to_follow_by_its_length(ticket: Counter) -> None:
    async with ticket.at(NOON, ticket.ana) as case:
        await move(case, Move.RESOLVE)
        before = windows(case)
    async with ticket.at(NOON + TICK, ticket.ana) as case:
        delete(case)
    await ticket.due(NOON + timedelta(days=20))
    async with ticket.at(NOON + timedelta(days=30) + TICK, ticket.ana) as case:
        restore(case)
        after = windows(case)
    assert {name: after[name] - at for name, at in before.items()} == dict.fromkeys(before, timedelta(days=30))
    await ticket.due(NOON + timedelta(days=30) + TICK)
    async with ticket.at(NOON + timedelta(days=30) + TICK) as case:
        assert (windows(case), case.ticket.status) == (after, Status.RESOLVED)


def windows(case: Case) -> dict[str, datetime]:
    ticket = case.ticket
    found = {"survey_at": ticket.survey_at, "auto_close_at": ticket.auto_close_at, "reopen_until": ticket.reopen_until}
    return {name: at for name, at in found.items() if at}


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
