"""What would come due on a ticket that is only described."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from models.db.session import TenantSession
from models.sla.beside import beside
from models.sla.clock import Clock, start
from models.sla.deadlines import Deadline, DeadlineInputs
from models.sla.order import Standing
from models.sla.pinned import Pin, SlaConfiguration
from models.sla.policy import Metric, Traits
from models.sla.rulebook import Rulebook
from models.sla.run_due import deadlines_of
from models.tickets.lifecycle import Priority, Status
from models.value import Value


class TicketSample(Value):
    """What of a new ticket decides its targets. Without a category it gets the merchant's first, as a ticket does."""

    priority: Priority = Priority.NORMAL
    category: str | None = None
    organizer_id: int | None = None
    tags: tuple[str, ...] = ()


class ForecastClock(NamedTuple):
    """A metric's clock as it would be if it began when the ticket was opened, and all that would come due by it."""

    clock: Clock
    deadlines: tuple[Deadline, ...]


class Forecast(NamedTuple):
    """``pin`` is None if no policy is for such a ticket; ``standing`` says which policy won, and why the one that is tried did not."""

    pin: Pin | None
    standing: Standing
    configuration: SlaConfiguration
    clocks: list[ForecastClock]


async def forecast(session: TenantSession, book: Rulebook, ticket: TicketSample, at: datetime, candidate_id: int | None) -> Forecast:
    """The targets of a ticket like this if it were opened at ``at``; ``candidate_id`` is the policy that is tried, if it is one.

    Raises:
        Invalid: the merchant has no such category.
    """
    category = book.category(ticket.category, "/ticketSample/category")
    traits = Traits(priority=ticket.priority, category=category, organizer_id=ticket.organizer_id, tags=frozenset(ticket.tags))
    chosen = book.choose(traits)
    configuration = await book.configuration(session, chosen)
    # A new calendar is laid out first: that is done beside the event loop.
    clocks = await beside(lambda: list(_clocks(configuration, ticket.priority, at)))
    return Forecast(chosen, book.standing(traits, candidate_id), configuration, clocks)


def _clocks(configuration: SlaConfiguration, priority: Priority, at: datetime) -> Iterator[ForecastClock]:
    policy, calendar = configuration.policy, configuration.calendar
    if policy is None or calendar is None:
        return
    for metric in Metric:
        if target := policy.target(priority, metric):
            clock = Clock(metric=metric, target=target)
            begun = clock if Status.NEW in policy.pause_on.of(metric) else start(clock, at, calendar)
            yield ForecastClock(begun, deadlines_of(_inputs(begun, configuration)))


def _inputs(clock: Clock, configuration: SlaConfiguration) -> DeadlineInputs:
    return DeadlineInputs(
        clocks=(clock,),
        calendar=configuration.calendar,
        ladder=configuration.ladder,
        warn_at_fractions=configuration.warn_at_fractions,
    )
