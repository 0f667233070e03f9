"""The clocks of a ticket, moved by what happens to it. Every turn is a row of the ledger, every breach one of the audit.

What follows from what is decided in :mod:`models.sla.clocks`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from models.platform.metrics import BREACHES, CLOCK_CHANGES
from models.sla.clock import Clock
from models.sla.clocks import Breach, ClockChange, TicketState
from models.sla.deadlines import Deadline
from models.sla.pinned import SlaConfiguration
from models.sla.policy import Metric
from models.sla.tables import LedgerEntry
from models.tickets.aggregate import TicketAggregate


def open_clocks(ticket: TicketAggregate) -> None:
    with _turning(ticket) as now:
        ticket.clocks.opened(now)


def agent_replied(ticket: TicketAggregate) -> None:
    with _turning(ticket) as now:
        ticket.clocks.agent_replied(now)


def reporter_commented(ticket: TicketAggregate) -> None:
    with _turning(ticket) as now:
        ticket.clocks.reporter_commented(now)


def status_changed(ticket: TicketAggregate, reason: str, at: datetime | None = None) -> None:
    """``at``: when the state was to change, if that was earlier."""
    with _turning(ticket, at) as now:
        ticket.clocks.status_changed(now, reason)


def resolved(ticket: TicketAggregate) -> None:
    with _turning(ticket) as now:
        ticket.clocks.resolved(now)


def cancelled(ticket: TicketAggregate, reason: str) -> None:
    with _turning(ticket) as now:
        ticket.clocks.cancelled(now, reason)


def deleted(ticket: TicketAggregate) -> None:
    with _turning(ticket) as now:
        ticket.clocks.deleted(now)


def restored(ticket: TicketAggregate, deleted_at: datetime) -> None:
    with _turning(ticket) as now:
        ticket.clocks.restored(now, deleted_at)


def reopened(ticket: TicketAggregate) -> None:
    before = ticket.clocks.latest(Metric.RESOLUTION)
    with _turning(ticket) as now:
        ticket.clocks.reopened(now)
    after = ticket.clocks.latest(Metric.RESOLUTION)
    if before and after and after.cycle > before.cycle:
        ticket.row.escalation_level = 0


def retimed(ticket: TicketAggregate, configuration: SlaConfiguration, reason: str) -> None:
    with _turning(ticket) as now:
        ticket.clocks.retimed(now, configuration, reason)


def acknowledged(ticket: TicketAggregate, clock: Clock) -> None:
    ticket.clocks.acknowledged(clock)


async def warn(ticket: TicketAggregate, due: Sequence[Deadline]) -> None:
    """Of several that are due at once people are notified of the last one."""
    for deadline in due:
        clock, fraction = ticket.clocks.by_key[deadline.clock], deadline.fraction or 0.0
        ticket.clocks.warned(clock, fraction)
        ticket.record("sla.warned", metric=clock.metric, cycle=clock.cycle, fraction=fraction, dueAt=deadline.due_at.isoformat())


async def breach(ticket: TicketAggregate, due: Sequence[Deadline]) -> None:
    for deadline in due:
        ticket.clocks.breached(ticket.clocks.by_key[deadline.clock])
    _write_events(ticket, ticket.turn_at)


def state_of(ticket: TicketAggregate) -> TicketState:
    """Resolving a ticket, also without a word, ends the wait for a first response."""
    row = ticket.row
    has_response = row.first_responded_at is not None or row.resolution_cycle > 0
    return TicketState(ticket.turn_at, row.status, row.priority, has_response=has_response, awaits_reply=row.waiting_since is not None)


@contextmanager
def _turning(ticket: TicketAggregate, at: datetime | None = None) -> Iterator[TicketState]:
    now = state_of(ticket)
    now = now._replace(at=at or now.at)
    yield now
    _write_events(ticket, now.at)


def _write_events(ticket: TicketAggregate, at: datetime) -> None:
    for event in ticket.clocks.take_events():
        if isinstance(event, Breach):
            _record_breach(ticket, event.clock)
        else:
            _write_ledger(ticket, event, at)


def _record_breach(ticket: TicketAggregate, clock: Clock) -> None:
    due_at = clock.breached_at.isoformat() if clock.breached_at else None
    ticket.record("sla.breached", metric=clock.metric, cycle=clock.cycle, dueAt=due_at)
    ticket.session.once_committed(BREACHES.labels(clock.metric).inc)


def _write_ledger(ticket: TicketAggregate, turn: ClockChange, at: datetime) -> None:
    row, by, clock = ticket.row, ticket.change.by, turn.clock
    ticket.session.append(
        LedgerEntry,
        merchant_id=row.merchant_id,
        id=ticket.session.new_id(),
        ticket_id=row.id,
        metric=clock.metric,
        cycle=clock.cycle,
        kind=turn.kind,
        reason=turn.reason,
        actor_kind=by.kind,
        actor_id=by.id,
        at=at,
        spent=clock.spent,
        target=clock.target,
        due_at=clock.due_at,
        is_running=clock.is_running,
        policy_id=row.policy_id,
        policy_version=row.policy_version,
        calendar_version=row.calendar_version,
    )
    ticket.session.once_committed(CLOCK_CHANGES.labels(clock.metric, turn.kind).inc)
