"""The clocks of a ticket, moved by what happens to it. Every turn is a row of the ledger."""

from collections.abc import Callable
from datetime import datetime, timedelta

from models.operations.case import Case
from models.policy import clock as policy
from models.policy.calendar import Calendar
from models.policy.clock import Clock
from models.policy.lifecycle import UNFINISHED, Status
from models.policy.sla import Metric, OnReopen
from models.tables.sla import LedgerEntry


def open_clocks(case: Case) -> None:
    """A new ticket: the clocks of every metric with a target; one that the state holds back waits as pending."""
    for metric in (Metric.FIRST_RESPONSE, Metric.RESOLUTION):
        _add(case, metric, "opened")


def answered(case: Case) -> None:
    """A public reply of an agent meets the first response, then every next one."""
    for metric in (Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE):
        _turn_live(case, metric, policy.stop, "stopped", "public reply")


def asked(case: Case) -> None:
    """A message of the reporter: the next response runs from the oldest one that nobody answered."""
    first, latest = case.clock(Metric.FIRST_RESPONSE), case.clock(Metric.NEXT_RESPONSE)
    if (first is None or not first.is_live) and (latest is None or not latest.is_live):
        _add(case, Metric.NEXT_RESPONSE, "reporter's message")


def followed(case: Case, reason: str) -> None:
    """The ticket's state changed: each live clock runs, or stands still, as the policy says."""
    for clock in [clock for clock in case.clocks.values() if clock.is_live]:
        if _runs_in(case, clock.metric, case.ticket.status):
            _turn(case, clock, policy.start, "resumed" if clock.started_at else "started", reason)
        else:
            _turn(case, clock, policy.pause, "paused", reason)


def resolved(case: Case) -> None:
    _turn_live(case, Metric.RESOLUTION, policy.stop, "stopped", "resolved")
    cancelled(case, "resolved")


def cancelled(case: Case, reason: str) -> None:
    """Whatever is still to be met does not apply any more."""
    for metric in Metric:
        _turn_live(case, metric, policy.cancel, "cancelled", reason)


def completed(case: Case, reason: str) -> None:
    """The ticket came under a promise that it had not before: its clock starts now."""
    for metric in (Metric.FIRST_RESPONSE, Metric.RESOLUTION):
        clock = case.clock(metric)
        is_met = metric is Metric.FIRST_RESPONSE and case.ticket.first_responded_at is not None
        if case.ticket.status in UNFINISHED and not is_met and (clock is None or clock.cancelled_at):
            _add(case, metric, reason)


def cancelled_one(case: Case, clock: Clock, reason: str) -> None:
    _turn(case, clock, policy.cancel, "cancelled", reason)


def restored(case: Case, deleted_at: datetime) -> None:
    """A deletion is taken back: whatever it had cancelled, and nothing else, is live again, and runs if the state lets it."""
    for clock in [clock for metric in Metric if (clock := case.clock(metric)) and clock.cancelled_at == deleted_at]:
        _put(case, clock.model_copy(update={"cancelled_at": None, "paused_at": deleted_at}))
    followed(case, "restored")


def reopened(case: Case) -> None:
    rules, clock = case.rules, case.clock(Metric.RESOLUTION)
    if rules.policy is None or clock is None or clock.is_live:
        return
    is_over = rules.policy.on_reopen is OnReopen.RESTART and clock.breached_at is not None  # a breach is never taken back
    if rules.policy.on_reopen is OnReopen.NEW_CYCLE or is_over:
        _add(case, Metric.RESOLUTION, "reopened")
        case.ticket.escalation_level = 0
    elif rules.policy.on_reopen is OnReopen.RESTART:
        _turn(case, clock, policy.restart, "restarted", "reopened")
    else:
        _turn(case, clock, policy.start, "resumed", "reopened")


def warned(case: Case, clock: Clock, fraction: float) -> Clock:
    return _put(case, policy.warn(clock, fraction))


def breached(case: Case, clock: Clock) -> Clock:
    """Record a breach, once, with the instant at which it became true."""
    return _note_breach(case, clock, policy.breach(clock))


def _add(case: Case, metric: Metric, reason: str) -> None:
    target = case.rules.policy.target(case.ticket.priority, metric) if case.rules.policy else None
    if target is None:
        return
    latest = case.clock(metric)
    clock = _put(case, Clock(metric=metric, cycle=latest.cycle + 1 if latest else 1, target=target))
    if _runs_in(case, metric, case.ticket.status):
        _turn(case, clock, policy.start, "started", reason)


def _runs_in(case: Case, metric: Metric, status: Status) -> bool:
    return case.rules.policy is not None and status in UNFINISHED and status not in case.rules.policy.pause_on.of(metric)


def _turn_live(case: Case, metric: Metric, change: Callable[..., Clock], kind: str, reason: str) -> None:
    clock = case.clock(metric)
    if clock is not None and clock.is_live:
        _turn(case, clock, change, kind, reason)


def _turn(case: Case, clock: Clock, change: Callable[..., Clock], kind: str, reason: str) -> None:
    """One turn of one clock. What was overdue before it is recorded first: a late pause or reply takes no breach back."""
    settled = _note_breach(case, clock, policy.settle(clock, case.at))
    turned = change(settled, case.at, case.rules.calendar)
    if turned != settled:
        _put(case, turned)
        _write_ledger(case, turned, kind, reason)


def retime(case: Case, clock: Clock, target: timedelta, *, was: Calendar, reason: str) -> None:
    """A new target or calendar: what was spent stays spent."""
    settled = _note_breach(case, clock, policy.settle(clock, case.at))
    calendar = case.rules.calendar
    assert calendar is not None  # noqa: S101 - a target comes with a policy, a policy with a calendar
    turned = _put(case, policy.retime(settled, case.at, target, was=was, calendar=calendar))
    _write_ledger(case, turned, "retimed", reason)


def _note_breach(case: Case, before: Clock, after: Clock) -> Clock:
    if after.breached_at and not before.breached_at:
        cause = case.record("sla.breached", metric=after.metric, cycle=after.cycle, dueAt=after.breached_at.isoformat())
        case.breaches[after.metric, after.cycle] = cause
        _put(case, after)
    return after


def _put(case: Case, clock: Clock) -> Clock:
    case.clocks[clock.metric, clock.cycle] = clock
    return clock


def _write_ledger(case: Case, clock: Clock, kind: str, reason: str) -> None:
    ticket, by = case.ticket, case.change.by
    case.session.append(
        LedgerEntry,
        merchant_id=ticket.merchant_id,
        id=case.session.new_id(),
        ticket_id=ticket.id,
        metric=clock.metric,
        cycle=clock.cycle,
        kind=kind,
        reason=reason,
        actor_kind=by.kind,
        actor_id=by.id,
        at=case.at,
        spent=clock.spent,
        target=clock.target,
        due_at=clock.due_at,
        is_running=clock.is_running,
        policy_version=ticket.policy_version,
        calendar_version=ticket.calendar_version,
    )
