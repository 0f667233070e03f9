"""What happens at the instant of a deadline, just before and just after it: decided from the row, by the instant of the change."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs

from models.errors import Conflict
from models.people.tables import Category, Team
from models.people.tables import Merchant as MerchantRow
from models.sla.clock import ClockStatus
from models.sla.policy import Metric
from models.sla.tables import EscalationOutcome
from models.tickets.comments import needs_follow_up, reply
from models.tickets.edit import edit
from models.tickets.facts import facts_of
from models.tickets.lifecycle import Priority, Status, Transition
from models.tickets.tables import Event
from models.tickets.transitions import transition
from tests.support.auditor import rows
from tests.support.frozen import FIRST_RESPONSE, NOON, RESOLUTION, SECOND, FrozenTicket

TICK = timedelta(microseconds=1)
A_WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("late", "status"),
    [(-TICK, ClockStatus.ACHIEVED), (timedelta(), ClockStatus.ACHIEVED), (TICK, ClockStatus.BREACHED)],
    ids=["just before", "exactly at", "just after"],
)
async def test_a_reply_meets_the_target_up_to_its_due_instant(frozen: FrozenTicket, late: timedelta, status: ClockStatus) -> None:
    """No timer has fired yet: the reply itself records the breach, with the instant at which it became true."""
    async with frozen.at(NOON + FIRST_RESPONSE + late, frozen.ana) as ticket:
        await reply(ticket, "We are on our way.")
    async with frozen.at(NOON + timedelta(seconds=6)) as ticket:
        clock = ticket.clocks.latest(Metric.FIRST_RESPONSE)
    assert clock is not None
    assert clock.status is status
    assert clock.breached_at == (NOON + FIRST_RESPONSE if status is ClockStatus.BREACHED else None)


@pytest.mark.parametrize(("late", "levels"), [(-TICK, [1]), (timedelta(), [1, 2])], ids=["just before", "exactly at"])
async def test_a_rung_is_due_at_its_instant_and_not_before(frozen: FrozenTicket, late: timedelta, levels: list[int]) -> None:
    await frozen.due(NOON + RESOLUTION * 0.75)
    await frozen.due(NOON + RESOLUTION + late)
    assert [level for level, _ in await frozen.ladder()] == levels


async def test_a_rung_is_taken_once_however_often_its_deadline_is_run(frozen: FrozenTicket) -> None:
    for _ in range(2):
        await frozen.due(NOON + RESOLUTION)
    assert await frozen.ladder() == [(1, EscalationOutcome.SUPERSEDED), (2, EscalationOutcome.REASSIGNED)]


async def test_only_the_highest_of_three_due_rungs_is_taken(frozen: FrozenTicket) -> None:
    await frozen.due(NOON + RESOLUTION * 1.25)
    assert [outcome for _, outcome in await frozen.ladder()] == [
        EscalationOutcome.SUPERSEDED,
        EscalationOutcome.SUPERSEDED,
        EscalationOutcome.REASSIGNED,
    ]


async def test_a_pause_postpones_the_deadline_by_its_length(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON + timedelta(seconds=4), frozen.ana) as ticket:
        await reply(ticket, "Which till?")
        await transition(ticket, Transition.PENDING)
    await frozen.due(NOON + timedelta(days=3))
    async with frozen.at(NOON + timedelta(days=5), frozen.ana) as ticket:
        await transition(ticket, Transition.RESUME)
    resolution = await frozen.clock()
    assert resolution.status == ClockStatus.RUNNING
    assert resolution.due_at == NOON + timedelta(days=5, seconds=6)
    assert await frozen.ladder() == []


async def test_a_pause_after_the_deadline_takes_no_breach_back(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON + timedelta(seconds=11), frozen.ana) as ticket:
        await transition(ticket, Transition.PENDING)
    resolution = await frozen.clock()
    assert resolution.status == ClockStatus.BREACHED
    assert resolution.breached_at == NOON + RESOLUTION


async def test_another_priority_of_another_policy_keeps_what_was_spent(frozen: FrozenTicket) -> None:
    async with frozen.at(NOON + timedelta(seconds=2), frozen.ana) as ticket:
        await edit(ticket, {"category": "general", "priority": Priority.URGENT})
    resolution = await frozen.clock()
    assert resolution.target == timedelta(hours=4)
    assert resolution.spent == timedelta(seconds=2)
    assert resolution.due_at == NOON + timedelta(hours=4)


@pytest.mark.parametrize(("late", "is_open"), [(timedelta(), True), (TICK, False)], ids=["exactly at", "just after"])
async def test_the_window_for_reopening_includes_its_end(frozen: FrozenTicket, late: timedelta, is_open: bool) -> None:  # noqa: FBT001 - a table
    async with frozen.at(NOON, frozen.ana) as ticket:
        await transition(ticket, Transition.RESOLVE)
    async with frozen.at(NOON + A_WEEK + late, frozen.rita) as ticket:
        assert needs_follow_up(ticket) is not is_open
        with nullcontext() if is_open else pytest.raises(Conflict, match="too long ago"):
            await transition(ticket, Transition.REOPEN)
    async with frozen.at(NOON + A_WEEK + late, frozen.ana) as ticket:
        assert not needs_follow_up(ticket)
        assert ticket.row.status is (Status.OPEN if is_open else Status.RESOLVED)


async def test_a_workflow_with_wrong_instants_gets_newer_facts(frozen: FrozenTicket) -> None:
    """The workflow has other instants than the rows, for example from an older time zone database, and adopts newer facts only."""
    async with frozen.at(NOON) as ticket:
        known = facts_of(ticket)
    await frozen.due(NOON + SECOND)
    async with frozen.at(NOON) as ticket:
        told, row = facts_of(ticket), ticket.row
        assert told.deadlines == known.deadlines
        assert told.version > known.version
        assert row.next_deadline_at == known.deadlines[0].due_at
        assert row.facts_version == told.version


async def test_an_escalation_that_opens_a_new_ticket_records_the_change_of_status(frozen: FrozenTicket) -> None:
    await frozen.due(NOON + RESOLUTION)
    (event,) = [event for event in await rows(frozen.desk, frozen.merchant, Event) if event.kind == "escalation.reassigned"]
    assert event.changes["status"] == ["new", "open"]


async def test_an_edit_records_the_new_team_and_policy(frozen: FrozenTicket) -> None:
    async with frozen.desk.database.writing(frozen.merchant.id) as session:
        session.insert(Team(merchant_id=frozen.merchant.id, id=session.new_id(), name="Hardware"))
        await session.write()
        hardware = (await session.execute(sa.select(Team).where(col(Team.name) == "Hardware"))).scalar_one().id
        await session.execute(sa.update(Category).where(col(Category.name) == "general").values(team_id=hardware))
        await session.execute(sa.update(MerchantRow).values(rulebook_version=MerchantRow.rulebook_version + 1))
    async with frozen.at(NOON + SECOND, frozen.ana) as ticket:
        old = ticket.row.team_id, ticket.row.policy_id
        await edit(ticket, {"category": "general"})
        new = ticket.row.team_id, ticket.row.policy_id
    (event,) = [event for event in await rows(frozen.desk, frozen.merchant, Event) if event.kind == "ticket.edited"]
    assert event.changes["category"] == ["demo-fast", "general"]
    assert event.changes["teamId"] == [str(old[0]), str(new[0])]
    assert event.changes["policyId"] == [str(old[1]), str(new[1])]


async def test_a_rung_that_is_taken_is_in_the_log_with_its_level_and_both_owners(frozen: FrozenTicket) -> None:
    await frozen.due(NOON + RESOLUTION * 0.75)
    with capture_logs() as lines:
        await frozen.due(NOON + RESOLUTION)
    taken = next(line for line in lines if line["event"] == "escalation.reassigned")
    (first, second) = await frozen.rungs()
    assert (taken["merchant_id"], taken["ticket_id"], taken["escalation_level"]) == (frozen.merchant.id, frozen.ticket_id, 2)
    assert (taken["from_agent_id"], taken["to_agent_id"]) == (second.from_agent_id, second.to_agent_id)
    assert first.level == 1
