"""A ticket moves to the newest version of a rule: its clocks are timed anew, what was spent stays spent."""

from datetime import datetime
from typing import NamedTuple

from models.operations import clocks
from models.operations.case import Case
from models.operations.rulebook import Pin, Rulebook, pin, pin_of, traits_of
from models.policy.clock import Clock
from models.policy.clocks import Clocks, Standing
from models.policy.rules import Rules
from models.policy.sla import Metric
from models.tables.sla import RuleKind


class RuleRef(NamedTuple):
    kind: RuleKind
    id: int


class Foresight(NamedTuple):
    """What a move would do to a ticket: whether a clock is timed anew, and whether one would be breached at once."""

    is_change: bool
    would_breach: bool


def retime(case: Case, book: Rulebook, rule: RuleRef) -> bool:
    """Have the newest version of ``rule`` hold for the ticket from now on. Whether anything changed."""
    current = pin_of(case.ticket)
    chosen = book.moved(current, traits_of(case.ticket), rule.kind, rule.id)
    if chosen == current:
        return False
    pin(case.ticket, chosen)
    case.record("sla.retimed", rule=rule.kind.value, ruleId=str(rule.id), **_versions(current, chosen))
    clocks.retimed(case, book.rules(chosen), f"new version of a {rule.kind.value}")
    return True


def foresee(before: Clocks, now: Standing, rules: Rules) -> Foresight:
    """What :func:`retime` would do, without doing it."""
    after = Clocks(before.by_key.values(), before.rules)
    after.retimed(now, rules, "preview")
    is_change = _promises(after) != _promises(before)
    return Foresight(is_change, would_breach=bool(_overdue(after, now.at) - _overdue(before, now.at)))


def _promises(clocks_of_ticket: Clocks) -> dict[tuple[Metric, int], tuple[object, ...]]:
    return {key: (clock.target, clock.due_at, clock.is_live, clock.is_running) for key, clock in clocks_of_ticket.by_key.items()}


def _overdue(clocks_of_ticket: Clocks, at: datetime) -> set[tuple[Metric, int]]:
    """Breached, or about to be found so."""
    return {key for key, clock in clocks_of_ticket.by_key.items() if clock.breached_at or _is_due(clock, at)}


def _is_due(clock: Clock, at: datetime) -> bool:
    return clock.is_running and clock.due_at is not None and clock.due_at <= at


def _versions(before: Pin | None, after: Pin | None) -> dict[str, object]:
    """Old and new of each, as the audit shows a change."""
    named = {
        "policyId": "policy_id",
        "policyVersion": "policy_version",
        "calendarVersion": "calendar_version",
        "ladderVersion": "ladder_version",
    }
    pairs = {name: [_of(before, field), _of(after, field)] for name, field in named.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _of(chosen: Pin | None, field: str) -> object:
    value = getattr(chosen, field) if chosen else None
    return str(value) if field == "policy_id" and value is not None else value
