"""The invariants of every ticket, whatever happened to it. Each test of a fault ends with an audit of its merchant."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from models.jobs.tables import Job
from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from models.outbox.tables import Outbox
from models.people.tables import Agent
from models.sla.tables import ConfigurationVersion, Escalation, LedgerEntry, SlaClock
from models.surveys.tables import Survey
from models.tickets.assign import is_at_work
from models.tickets.lifecycle import Status
from models.tickets.messages import TicketFacts
from models.tickets.tables import Event, Ticket
from tests.support.desk import Desk, Merchant
from tests.support.ledger import ledger_sums_up

PATIENCE = 60
"""Seconds: a worker that has just started on a busy machine needs a while. The audit waits no longer than it has to."""


async def audit(desk: Desk, merchant: Merchant) -> None:
    """Wait until all is delivered, then check every invariant of every ticket of ``merchant``."""
    await desk.until(lambda: _unsent(desk, merchant), lambda waiting: not waiting, seconds=PATIENCE)
    await desk.until(lambda: _pending(desk, merchant), lambda waiting: not waiting, seconds=PATIENCE)
    for ticket in await rows(desk, merchant, Ticket):
        await _workflow_matches_row(desk, merchant, ticket)
    await _rows_agree(desk, merchant)


async def rows(desk: Desk, merchant: Merchant, table: Any, *conditions: Any) -> Sequence[Any]:
    """All rows of ``merchant`` in ``table``, by key."""
    async with desk.database.reading(merchant.id) as session:
        found = await session.execute(sa.select(table).where(*conditions).order_by(*sa.inspect(table).primary_key))
        return found.scalars().all()


async def facts_of(desk: Desk, ticket_id: str | int) -> TicketFacts:
    """What the ticket's workflow knows."""
    handle = desk.client.get_workflow_handle(f"ticket-{ticket_id}")
    facts: TicketFacts = await handle.query("facts", result_type=TicketFacts)
    return facts


async def _unsent(desk: Desk, merchant: Merchant) -> Sequence[Any]:
    """What the outbox holds, without what is not to leave yet: a digest waits there until it is due."""
    early = {f"notification-{digest.id}" for digest in await rows(desk, merchant, Notification, _is_early(desk))}
    return [row for row in await rows(desk, merchant, Outbox) if row.key not in early]


async def _pending(desk: Desk, merchant: Merchant) -> Sequence[Any]:
    is_pending = col(Notification.status) == NotificationStatus.PENDING
    return await rows(desk, merchant, Notification, is_pending, sa.not_(_is_early(desk)))


def _is_early(desk: Desk) -> Any:
    """A digest that is not due: it goes on gathering what it lists."""
    return (col(Notification.kind) == NotificationKind.DIGEST) & (col(Notification.posted_at) > desk.clock.now())


async def _workflow_matches_row(desk: Desk, merchant: Merchant, ticket: Ticket) -> None:
    """An unfinished ticket has a running workflow that knows the row's facts; a closed or deleted one has none."""
    if ticket.status is Status.CLOSED or ticket.deleted_at is not None:
        await desk.until(lambda: is_running(desk, ticket.id), lambda running: not running)
        return
    assert await desk.until(lambda: is_running(desk, ticket.id), bool)
    facts, row = await desk.until(lambda: _known_and_true(desk, merchant, ticket.id), lambda both: both[0].version == both[1].facts_version)
    assert facts.status == row.status
    assert facts.escalation_level == row.escalation_level


async def _known_and_true(desk: Desk, merchant: Merchant, ticket_id: int) -> tuple[TicketFacts, Ticket]:
    """What the workflow knows, and the row as it stands now: a ticket that was just opened may be assigned meanwhile."""
    return await facts_of(desk, ticket_id), (await rows(desk, merchant, Ticket, col(Ticket.id) == ticket_id))[0]


async def is_running(desk: Desk, ticket_id: str | int) -> bool:
    """Whether there is a workflow behind the ticket."""
    try:
        described = await desk.client.get_workflow_handle(f"ticket-{ticket_id}").describe()
    except RPCError:
        return False
    return described.status is WorkflowExecutionStatus.RUNNING


async def _rows_agree(desk: Desk, merchant: Merchant) -> None:
    events = await rows(desk, merchant, Event)
    tickets = await rows(desk, merchant, Ticket)
    for ticket in tickets:
        sequences = sorted(event.sequence for event in events if event.ticket_id == ticket.id)
        assert sequences == list(range(1, ticket.event_sequence + 1))
    assert len({ticket.number for ticket in tickets}) == len(tickets)
    assert all(ticket.status is Status.ON_HOLD for ticket in tickets if ticket.snoozed_until)
    await _nobody_retired_has_work(desk, merchant, tickets)
    _merged_tickets_have_ended(tickets, events, await rows(desk, merchant, SlaClock), await rows(desk, merchant, Survey))
    _each_rung_once(await rows(desk, merchant, Escalation))
    notifications = await rows(desk, merchant, Notification)
    _one_notification_each(notifications, {event.id for event in events})
    held_back_is_listed_once(notifications)
    clocks = await rows(desk, merchant, SlaClock)
    ledger_sums_up(clocks, await rows(desk, merchant, LedgerEntry), await rows(desk, merchant, ConfigurationVersion))
    _attributed_once(clocks)


async def _nobody_retired_has_work(desk: Desk, merchant: Merchant, tickets: Sequence[Ticket]) -> None:
    """Unless a handover of theirs has not ended, or was cancelled."""
    handed_over = {
        int(job.request["agentId"]) for job in await rows(desk, merchant, Job, col(Job.kind) == "handover", col(Job.status) != "done")
    }
    retired = {agent.id for agent in await rows(desk, merchant, Agent, col(Agent.retired_at).is_not(None))} - handed_over
    assert not [ticket.id for ticket in tickets if ticket.assignee_id in retired and is_at_work(ticket)]


def _merged_tickets_have_ended(
    tickets: Sequence[Ticket], events: Sequence[Event], clocks: Sequence[SlaClock], surveys: Sequence[Survey]
) -> None:
    """A merged ticket is closed and has no live clock, and the audit of the other ticket names it once."""
    merged = {ticket.id: ticket for ticket in tickets if ticket.merged_into_id}
    named = sorted((e.ticket_id, int(e.changes["fromTicketId"])) for e in events if e.kind == "ticket.merged_from")
    assert named == sorted((ticket.merged_into_id, ticket.id) for ticket in merged.values())
    for ticket in merged.values():
        assert ticket.status is Status.CLOSED
        assert ticket.survey_at is None
        assert ticket.auto_close_at is None
        assert ticket.reopen_until is None
    assert all(clock.stopped_at or clock.cancelled_at for clock in clocks if clock.ticket_id in merged)
    assert all(survey.answered_at or survey.cancelled_at for survey in surveys if survey.ticket_id in merged)


def _each_rung_once(escalations: Sequence[Escalation]) -> None:
    taken = [(e.ticket_id, e.metric, e.cycle, e.level) for e in escalations if e.metric is not None]
    assert len(taken) == len(set(taken))


def _one_notification_each(notifications: Sequence[Notification], causes: set[int]) -> None:
    """A digest has the cause of the first notification that it lists, and is none of its own."""
    written = [(each.cause_id, each.recipient_id) for each in notifications if each.kind is not NotificationKind.DIGEST]
    assert len(written) == len(set(written))
    assert {each.cause_id for each in notifications} <= causes


def held_back_is_listed_once(notifications: Sequence[Notification]) -> None:
    """What its address's limit held back is settled, and one digest to the same person lists it; no digest lists nothing."""
    digests = {each.id: each for each in notifications if each.kind is NotificationKind.DIGEST}
    held_back = [each for each in notifications if each.status is NotificationStatus.IN_DIGEST]
    assert not [each for each in digests.values() if each.status is NotificationStatus.IN_DIGEST]
    for each in held_back:
        assert each.settled_at is not None, each
        assert each.digest_id in digests, each
        assert digests[each.digest_id].address.lower() == each.address.lower(), each
    assert {each.digest_id for each in notifications if each.digest_id is not None} == digests.keys()


def _attributed_once(clocks: Sequence[SlaClock]) -> None:
    """A cycle that a report counts has its attribution and its used seconds."""
    for clock in clocks:
        at = clock.breached_at or clock.stopped_at
        assert at is None or (clock.attributed_at == at and clock.attributed_priority is not None), clock
        assert clock.used_seconds == (int(clock.spent.total_seconds()) if clock.stopped_at else None), clock
