"""While a ticket is deleted nothing is due; restored, it is as it was."""

from datetime import datetime, timedelta
from typing import Any

from models.sla.clock import ClockStatus
from models.sla.policy import Metric
from models.sla.tables import ConfigurationKind, LedgerEntry
from models.tickets.aggregate import TicketAggregate
from models.tickets.deletion import delete, restore
from models.tickets.edit import edit
from models.tickets.lifecycle import Priority, Status, Transition
from models.tickets.snooze import snooze
from models.tickets.transitions import transition
from tests.support.auditor import rows
from tests.support.desk import Desk
from tests.support.frozen import NOON, SECOND, FrozenTicket, opened, redefine
from tests.support.isolated import Isolated

TICK = timedelta(microseconds=1)


async def test_while_a_ticket_is_deleted_nothing_is_due_and_afterwards_its_clocks_go_on(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON + timedelta(seconds=3), frozen.ana) as ticket:
        delete(ticket)
    await frozen.due(NOON + timedelta(days=1))
    assert await frozen.ladder() == []
    async with frozen.at(NOON + timedelta(days=2), frozen.ana) as ticket:
        await restore(ticket)
    resolution = await frozen.clock()
    assert (resolution.status, resolution.due_at) == (ClockStatus.RUNNING, NOON + timedelta(days=2, seconds=7))


async def test_what_resolving_had_cancelled_stays_cancelled_over_a_deletion(frozen: FrozenTicket) -> None:
    """A ticket that was resolved without an answer has no first response to give any more."""
    for second, deed in (
        (1, lambda ticket: transition(ticket, Transition.RESOLVE)),
        (2, delete),
        (3, restore),
        (4, lambda ticket: transition(ticket, Transition.REOPEN)),
    ):
        async with frozen.at(NOON + timedelta(seconds=second), frozen.ana) as ticket:
            done: Any = deed(ticket)
            if done is not None:
                await done
    assert (await frozen.clock(Metric.FIRST_RESPONSE)).status is ClockStatus.CANCELLED
    assert (await frozen.clock()).status is ClockStatus.RUNNING


async def test_a_deletion_moves_what_was_to_follow_by_its_length(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON, frozen.ana) as ticket:
        await transition(ticket, Transition.RESOLVE)
        before = windows(ticket)
    async with frozen.at(NOON + TICK, frozen.ana) as ticket:
        delete(ticket)
    await frozen.due(NOON + timedelta(days=20))
    async with frozen.at(NOON + timedelta(days=30) + TICK, frozen.ana) as ticket:
        await restore(ticket)
        after = windows(ticket)
    assert {name: after[name] - at for name, at in before.items()} == dict.fromkeys(before, timedelta(days=30))
    await frozen.due(NOON + timedelta(days=30) + TICK)
    async with frozen.at(NOON + timedelta(days=30) + TICK) as ticket:
        assert (windows(ticket), ticket.row.status) == (after, Status.RESOLVED)


def windows(ticket: TicketAggregate) -> dict[str, datetime]:
    row = ticket.row
    found = {"survey_at": row.survey_at, "auto_close_at": row.auto_close_at, "reopen_until": row.reopen_until}
    return {name: at for name, at in found.items() if at}


async def test_a_promise_that_was_withdrawn_before_a_deletion_goes_on_after_it(quiet: tuple[Isolated, Desk]) -> None:
    """Urgent tickets have no target: what was spent is remembered over a deletion, should there be one again."""
    _, desk = quiet
    acme = await desk.merchant()
    targets = {"low": {}, "normal": {"resolutionSeconds": 10}, "high": {}, "urgent": {}}
    await redefine(desk, acme, ConfigurationKind.POLICY, targets=targets)
    row = await opened(desk, acme)
    deeds: list[Any] = [lambda ticket: edit(ticket, {"priority": Priority.URGENT}), delete, restore]
    for second, deed in enumerate([*deeds, lambda ticket: edit(ticket, {"priority": Priority.NORMAL})], 9):
        async with row.at(NOON + second * SECOND, row.ana) as ticket:
            done = deed(ticket)
            if done is not None:
                await done
    resolution = await row.clock()
    assert (resolution.cycle, resolution.spent, resolution.due_at) == (1, 9 * SECOND, NOON + 13 * SECOND)


async def test_a_snooze_that_ended_meanwhile_ends_with_the_restoration(frozen: FrozenTicket) -> None:
    """No clock runs while the ticket is deleted, also one that was to go on within that time."""
    for second, deed in enumerate((lambda ticket: snooze(ticket, NOON + 5 * SECOND), delete)):
        async with frozen.at(NOON + second * SECOND, frozen.ana) as ticket:
            deed(ticket)
    restored_at = NOON + timedelta(hours=1)
    async with frozen.at(restored_at, frozen.ana) as ticket:
        await restore(ticket)
    await frozen.due(restored_at + SECOND)
    resolution = await frozen.clock()
    assert (resolution.running_since, resolution.due_at) == (restored_at, restored_at + 10 * SECOND)


async def test_a_clock_that_never_ran_is_pending_after_a_restoration(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await redefine(desk, acme, ConfigurationKind.POLICY, pauseOn={"resolution": ["new"]})
    row = await opened(desk, acme)
    async with row.at(NOON, row.ana) as ticket:
        delete(ticket)
    async with row.at(NOON + SECOND, row.ana) as ticket:
        await restore(ticket)
    resolution = await row.clock()
    assert (resolution.status, resolution.paused_at) == (ClockStatus.PENDING, None)
    ledger = await rows(desk, acme, LedgerEntry)
    assert "paused" not in {entry.kind for entry in ledger if entry.metric is Metric.RESOLUTION}
