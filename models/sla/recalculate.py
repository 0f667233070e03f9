"""A ticket moves to the newest version of a configuration: its clocks are retimed, what was spent stays spent."""

from datetime import datetime
from typing import NamedTuple

from models.sla import tracking as clocks
from models.sla.clock import Clock
from models.sla.clocks import Clocks
from models.sla.pinned import Pin
from models.sla.policy import Metric
from models.sla.rulebook import Rulebook, pin, pin_of, traits_of
from models.sla.tables import ConfigurationKind
from models.tickets.aggregate import TicketAggregate


class ConfigurationRef(NamedTuple):
    kind: ConfigurationKind
    id: int


class Shift(NamedTuple):
    """Where a ticket is pinned, and where it would be; ``would_breach``: a metric would be overdue at once that is not so now."""

    before: Pin | None
    after: Pin | None
    would_breach: bool


async def forecast_change(ticket: TicketAggregate, book: Rulebook, configuration: ConfigurationRef) -> Shift | None:
    """What would change for the ticket if the newest version of ``configuration`` held for it from now on; None: nothing."""
    current = pin_of(ticket.row)
    chosen = await book.moved(ticket.session, current, traits_of(ticket.row), configuration.kind, configuration.id)
    if chosen == current:
        return None
    now, tried = clocks.state_of(ticket), Clocks(ticket.clocks.by_key.values(), ticket.configuration)
    tried.retimed(now, await book.configuration(ticket.session, chosen), "forecast")
    return Shift(current, chosen, would_breach=bool(_overdue(tried, now.at) - _overdue(ticket.clocks, now.at)))


async def retime(ticket: TicketAggregate, book: Rulebook, configuration: ConfigurationRef, shift: Shift, job_id: int) -> None:
    """Pin the ticket as ``shift`` says, and retime its clocks."""
    pin(ticket.row, shift.after)
    ticket.record(
        "sla.retimed",
        rule=configuration.kind.value,
        ruleId=str(configuration.id),
        jobId=str(job_id),
        **versions(shift.before, shift.after),
    )
    configuration_after = await book.configuration(ticket.session, shift.after)
    clocks.retimed(ticket, configuration_after, f"new version of a {configuration.kind.value}")


def _overdue(clocks_of_ticket: Clocks, at: datetime) -> set[tuple[Metric, int]]:
    """Breached, or about to be found so."""
    return {key for key, clock in clocks_of_ticket.by_key.items() if clock.breached_at or _is_due(clock, at)}


def _is_due(clock: Clock, at: datetime) -> bool:
    return clock.is_running and clock.due_at is not None and clock.due_at <= at


def versions(before: Pin | None, after: Pin | None) -> dict[str, object]:
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
