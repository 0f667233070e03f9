"""A process whose clock is ahead, or behind, writes into a ticket: it makes nothing due and rewrites no past."""

from datetime import timedelta

from models.sla.clock import ClockStatus
from models.tickets.comments import note
from models.tickets.deletion import delete, restore
from models.tickets.edit import edit
from models.tickets.lifecycle import Move
from models.tickets.tables import Event
from models.tickets.transitions import move
from tests.support.auditor import rows
from tests.support.frozen import NOON, RESOLUTION, Counter


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
