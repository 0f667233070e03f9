"""A process whose clock is ahead or behind changes a ticket: nothing becomes due by it, and no history is rewritten."""

from datetime import timedelta

from models.sla.clock import ClockStatus
from models.tickets.comments import note
from models.tickets.deletion import delete, restore
from models.tickets.edit import edit
from models.tickets.lifecycle import Transition
from models.tickets.tables import Event
from models.tickets.transitions import transition
from tests.support.auditor import rows
from tests.support.frozen import NOON, RESOLUTION, FrozenTicket


async def test_a_note_from_a_process_whose_clock_is_ahead_makes_nothing_due(frozen: FrozenTicket) -> None:
    ahead = NOON + timedelta(hours=2)
    async with frozen.at(ahead, frozen.ana) as ticket:
        await note(ticket, "Two hours ahead of everybody else.")
    await frozen.due(NOON + RESOLUTION * 0.75)
    assert [level for level, _ in await frozen.ladder()] == [1]
    async with frozen.at(NOON + timedelta(seconds=8), frozen.ana) as ticket:
        await edit(ticket, {"category": "general"})
        await transition(ticket, Transition.PENDING)
    resolution = await frozen.clock()
    assert resolution.status == ClockStatus.PAUSED
    assert resolution.spent == timedelta(seconds=8)
    assert resolution.breached_at is None
    events = await rows(frozen.desk, frozen.merchant, Event)
    assert [event.at for event in events[1:]] == [ahead] * (len(events) - 1), "the audit goes forward only"


async def test_a_clock_never_changes_before_its_last_change(frozen: FrozenTicket) -> None:
    ahead = NOON + timedelta(hours=2)
    async with frozen.at(ahead, frozen.ana) as ticket:
        await transition(ticket, Transition.PENDING)
    async with frozen.at(NOON + timedelta(seconds=8), frozen.ana) as ticket:
        await transition(ticket, Transition.RESUME)
        delete(ticket)
    async with frozen.at(NOON + timedelta(seconds=9), frozen.ana) as ticket:
        await restore(ticket)
    resolution = await frozen.clock()
    assert resolution.spent == timedelta(hours=2)
    assert resolution.running_since == ahead
