"""What would be promised on a ticket that somebody only thinks of."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from models.errors import Invalid
from models.sla.clock import Clock, start
from models.sla.deadlines import Deadline, Promises, deadlines_of
from models.sla.policy import Metric, Traits
from models.sla.rulebook import Pin, Rulebook
from models.sla.rules import Rules
from models.tickets.lifecycle import Priority, Status
from models.value import Value


class Sample(Value):
    """What of a new ticket decides its promises. Without a category it gets the merchant's first, as a ticket does."""

    priority: Priority = Priority.NORMAL
    category: str | None = None
    organizer_id: int | None = None
    tags: tuple[str, ...] = ()


class Promised(NamedTuple):
    """A metric's clock as it would be if it began when the ticket was opened, and all that would come due by it."""

    clock: Clock
    deadlines: tuple[Deadline, ...]


class Prospect(NamedTuple):
    """``pin`` is None if no policy is for such a ticket."""

    pin: Pin | None
    rules: Rules
    promised: list[Promised]


def prospect(book: Rulebook, sample: Sample, at: datetime) -> Prospect:
    """What a ticket like this would be promised if it were opened at ``at``. A new calendar is laid out first: not for the event loop.

    Raises:
        Invalid: the merchant has no such category.
    """
    category = sample.category or next(iter(book.categories), None)
    if category is not None and category not in book.categories:
        raise Invalid("unknown_category", "There is no such category.", "/ticketSample/category")
    traits = Traits(priority=sample.priority, category=category, organizer_id=sample.organizer_id, tags=frozenset(sample.tags))
    chosen = book.choose(traits)
    rules = book.rules(chosen)
    return Prospect(chosen, rules, list(_promised(rules, sample.priority, at)))


def _promised(rules: Rules, priority: Priority, at: datetime) -> Iterator[Promised]:
    policy, calendar = rules.policy, rules.calendar
    if policy is None or calendar is None:
        return
    for metric in Metric:
        if target := policy.target(priority, metric):
            clock = Clock(metric=metric, target=target)
            begun = clock if Status.NEW in policy.pause_on.of(metric) else start(clock, at, calendar)
            yield Promised(begun, deadlines_of(_promises(begun, rules)))


def _promises(clock: Clock, rules: Rules) -> Promises:
    return Promises(
        clocks=(clock,),
        calendar=rules.calendar,
        ladder=rules.ladder,
        warn_at_fractions=rules.policy.warn_at_fractions if rules.policy else (),
        taken=frozenset(),
        survey_at=None,
        auto_close_at=None,
    )
