"""While a ticket is deleted nothing is due; restored, it is as it was."""

from datetime import datetime, timedelta
from typing import Any

from models.sla.clock import ClockStatus
from models.sla.policy import Metric
from models.sla.tables import LedgerEntry, RuleKind
from models.tickets.aggregate import Case
from models.tickets.deletion import delete, restore
from models.tickets.edit import edit
from models.tickets.lifecycle import Move, Priority, Status
from models.tickets.snooze import snooze
from models.tickets.transitions import move
from tests.support.auditor import rows
from tests.support.desk import Desk
from tests.support.frozen import NOON, SECOND, FrozenTicket, opened, redefine
from tests.support.isolated import Isolated

TICK = timedelta(microseconds=1)


async def test_while_a_ticket_is_deleted_nothing_is_due_and_afterwards_its_clocks_go_on(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON + timedelta(seconds=3), frozen.ana) as case:
        delete(case)
    await frozen.due(NOON + timedelta(days=1))
    assert await frozen.ladder() == []
    async with frozen.at(NOON + timedelta(days=2), frozen.ana) as case:
        restore(case)
    resolution = await frozen.clock()
    assert (resolution.status, resolution.due_at) == (ClockStatus.RUNNING, NOON + timedelta(days=2, seconds=7))


async def test_what_resolving_had_cancelled_stays_cancelled_over_a_deletion(frozen: FrozenTicket) -> None:
    """A ticket that was resolved without an answer has no first response to give any more."""
    for second, deed in ((1, lambda case: move(case, Move.RESOLVE)), (2, delete), (3, restore), (4, lambda case: move(case, Move.REOPEN))):
        async with frozen.at(NOON + timedelta(seconds=second), frozen.ana) as case:
            done: Any = deed(case)
            if done is not None:
                await done
    assert (await frozen.clock(Metric.FIRST_RESPONSE)).status is ClockStatus.CANCELLED
    assert (await frozen.clock()).status is ClockStatus.RUNNING


async def test_a_deletion_moves_what_was_to_follow_by_its_length(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON, frozen.ana) as case:
        await move(case, Move.RESOLVE)
        before = windows(case)
    async with frozen.at(NOON + TICK, frozen.ana) as case:
        delete(case)
    await frozen.due(NOON + timedelta(days=20))
    async with frozen.at(NOON + timedelta(days=30) + TICK, frozen.ana) as case:
        restore(case)
        after = windows(case)
    assert {name: after[name] - at for name, at in before.items()} == dict.fromkeys(before, timedelta(days=30))
    await frozen.due(NOON + timedelta(days=30) + TICK)
    async with frozen.at(NOON + timedelta(days=30) + TICK) as case:
        assert (windows(case), case.ticket.status) == (after, Status.RESOLVED)


def windows(case: Case) -> dict[str, datetime]:
    ticket = case.ticket
    found = {"survey_at": ticket.survey_at, "auto_close_at": ticket.auto_close_at, "reopen_until": ticket.reopen_until}
    return {name: at for name, at in found.items() if at}


async def test_a_promise_that_was_withdrawn_before_a_deletion_goes_on_after_it(quiet: tuple[Isolated, Desk]) -> None:
    """Urgent tickets have no target: what was spent is remembered over a deletion, should there be one again."""
    _, desk = quiet
    acme = await desk.merchant()
    targets = {"low": {}, "normal": {"resolutionSeconds": 10}, "high": {}, "urgent": {}}
    await redefine(desk, acme, RuleKind.POLICY, targets=targets)
    ticket = await opened(desk, acme)
    deeds: list[Any] = [lambda case: edit(case, {"priority": Priority.URGENT}), delete, restore]
    for second, deed in enumerate([*deeds, lambda case: edit(case, {"priority": Priority.NORMAL})], 9):
        async with ticket.at(NOON + second * SECOND, ticket.ana) as case:
            done = deed(case)
            if done is not None:
                await done
    resolution = await ticket.clock()
    assert (resolution.cycle, resolution.spent, resolution.due_at) == (1, 9 * SECOND, NOON + 13 * SECOND)


async def test_a_snooze_that_ended_meanwhile_ends_with_the_restoration(frozen: FrozenTicket) -> None:
    """No clock runs while the ticket is deleted, also one that was to go on within that time."""
    for second, deed in enumerate((lambda case: snooze(case, NOON + 5 * SECOND), delete)):
        async with frozen.at(NOON + second * SECOND, frozen.ana) as case:
            deed(case)
    restored_at = NOON + timedelta(hours=1)
    async with frozen.at(restored_at, frozen.ana) as case:
        restore(case)
    await frozen.due(restored_at + SECOND)
    resolution = await frozen.clock()
    assert (resolution.running_since, resolution.due_at) == (restored_at, restored_at + 10 * SECOND)


async def test_a_clock_that_never_ran_is_pending_after_a_restoration(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await redefine(desk, acme, RuleKind.POLICY, pauseOn={"resolution": ["new"]})
    ticket = await opened(desk, acme)
    for second, deed in enumerate((delete, restore)):
        async with ticket.at(NOON + second * SECOND, ticket.ana) as case:
            deed(case)
    resolution = await ticket.clock()
    assert (resolution.status, resolution.paused_at) == (ClockStatus.PENDING, None)
    ledger = await rows(desk, acme, LedgerEntry)
    assert "paused" not in {entry.kind for entry in ledger if entry.metric is Metric.RESOLUTION}
