"""The clocks of a ticket, moved by what happens to it. Every turn is a row of the ledger, every breach one of the audit.

What follows from what is decided in :mod:`models.sla.clocks`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from models.sla.clock import Clock
from models.sla.clocks import Breach, Standing, Turn
from models.sla.policy import Metric
from models.sla.rules import Rules
from models.sla.tables import LedgerEntry
from models.tickets.aggregate import Case


def open_clocks(case: Case) -> None:
    with _turning(case) as now:
        case.clocks.opened(now)


def answered(case: Case) -> None:
    with _turning(case) as now:
        case.clocks.answered(now)


def asked(case: Case) -> None:
    with _turning(case) as now:
        case.clocks.asked(now)


def followed(case: Case, reason: str, at: datetime | None = None) -> None:
    """``at``: when the state was to change, if that was earlier."""
    with _turning(case, at) as now:
        case.clocks.followed(now, reason)


def resolved(case: Case) -> None:
    with _turning(case) as now:
        case.clocks.resolved(now)


def cancelled(case: Case, reason: str) -> None:
    with _turning(case) as now:
        case.clocks.cancelled(now, reason)


def deleted(case: Case) -> None:
    with _turning(case) as now:
        case.clocks.deleted(now)


def restored(case: Case, deleted_at: datetime) -> None:
    with _turning(case) as now:
        case.clocks.restored(now, deleted_at)


def reopened(case: Case) -> None:
    before = case.clocks.latest(Metric.RESOLUTION)
    with _turning(case) as now:
        case.clocks.reopened(now)
    after = case.clocks.latest(Metric.RESOLUTION)
    if before and after and after.cycle > before.cycle:
        case.ticket.escalation_level = 0


def retimed(case: Case, rules: Rules, reason: str) -> None:
    with _turning(case) as now:
        case.clocks.retimed(now, rules, reason)


def warned(case: Case, clock: Clock, fraction: float) -> None:
    case.clocks.warned(clock, fraction)


def acknowledged(case: Case, clock: Clock) -> None:
    case.clocks.acknowledged(clock)


def breached(case: Case, clock: Clock) -> Clock:
    after = case.clocks.breached(clock)
    _write_notes(case, case.turn_at)
    return after


def standing(case: Case) -> Standing:
    """Resolving a ticket, also without a word, ends the wait for a first response."""
    ticket = case.ticket
    is_answered = ticket.first_responded_at is not None or ticket.resolution_cycle > 0
    return Standing(case.turn_at, ticket.status, ticket.priority, is_answered=is_answered, is_asked=ticket.asked_at is not None)


@contextmanager
def _turning(case: Case, at: datetime | None = None) -> Iterator[Standing]:
    now = standing(case)
    now = now._replace(at=at or now.at)
    yield now
    _write_notes(case, now.at)


def _write_notes(case: Case, at: datetime) -> None:
    for note in case.clocks.take_notes():
        if isinstance(note, Breach):
            _record_breach(case, note.clock)
        else:
            _write_ledger(case, note, at)


def _record_breach(case: Case, clock: Clock) -> None:
    due_at = clock.breached_at.isoformat() if clock.breached_at else None
    case.breaches[clock.metric, clock.cycle] = case.record("sla.breached", metric=clock.metric, cycle=clock.cycle, dueAt=due_at)


def _write_ledger(case: Case, turn: Turn, at: datetime) -> None:
    ticket, by, clock = case.ticket, case.change.by, turn.clock
    case.session.append(
        LedgerEntry,
        merchant_id=ticket.merchant_id,
        id=case.session.new_id(),
        ticket_id=ticket.id,
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
        policy_id=ticket.policy_id,
        policy_version=ticket.policy_version,
        calendar_version=ticket.calendar_version,
    )
