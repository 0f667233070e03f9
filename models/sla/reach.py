"""Whether a calendar is open long enough for the targets under it: a clock whose target is out of reach could never breach."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from models.sla.calendar import Calendar, HorizonExceeded, advance
from models.sla.policy import Metric, SlaPolicy
from models.tickets.lifecycle import Priority

IN_SIGHT = timedelta(days=2 * 366)
"""How far ahead a target may be due. Opening a ticket lays the calendar out that far, on the event loop that serves every request."""


class Target(NamedTuple):
    amount: timedelta
    priority: Priority
    metric: Metric


def longest_out_of_reach(policy: SlaPolicy, calendar: Calendar, start: datetime) -> Target | None:
    """The longest target, if the calendar has less open time than that within ``IN_SIGHT`` of ``start``."""
    longest = max(_targets(policy), default=None)
    return None if longest is None or _is_reached(longest.amount, calendar, start) else longest


def _targets(policy: SlaPolicy) -> Iterator[Target]:
    for priority, targets in policy.targets.items():
        for metric in Metric:
            if (amount := targets.of(metric)) is not None:
                yield Target(amount, priority, metric)


def _is_reached(amount: timedelta, calendar: Calendar, start: datetime) -> bool:
    try:
        advance(calendar, start, amount, within=IN_SIGHT)
    except HorizonExceeded:
        return False
    return True
