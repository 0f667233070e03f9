"""What a save writes beside the verbs' own changes: the clocks' rows, the ticket's SLA columns, its versions and its next deadline."""

from collections.abc import Sequence

from models.sla.attribution import attribution
from models.sla.clock import Clock, ClockStatus
from models.sla.policy import Metric
from models.sla.run_due import drop_stale_instants
from models.sla.tables import SlaClock
from models.tickets.aggregate import TicketAggregate
from models.tickets.facts import facts_of
from models.tickets.messages import TicketFacts

_SEVERITY = (ClockStatus.BREACHED, ClockStatus.IMMINENT, ClockStatus.RUNNING, ClockStatus.PAUSED, ClockStatus.ACHIEVED)
_OF_CLOCK = set(Clock.model_fields)


def bring_up_to_date(ticket: TicketAggregate) -> TicketFacts:
    """Bring the rows up to what happened, and return the facts. They get a new version only when time is concerned."""
    if ticket.events:
        drop_stale_instants(ticket)
        _write_clocks(ticket)
        _summarise_clocks(ticket)
        ticket.row.version += 1
        ticket.row.updated_at = ticket.at
    facts = facts_of(ticket)
    if facts == ticket.known:
        return ticket.known
    ticket.row.facts_version = max(ticket.row.version, ticket.row.facts_version + 1)
    ticket.row.next_deadline_at = facts.deadlines[0].due_at if facts.deadlines else None
    ticket.known = facts.model_copy(update={"version": ticket.row.facts_version})
    return ticket.known


def clock_of(row: SlaClock) -> Clock:
    return Clock.model_validate(row.model_dump(include=_OF_CLOCK))


def worst(statuses: Sequence[ClockStatus]) -> ClockStatus | None:
    """The status of a ticket: that of the clock which needs attention most."""
    return next((status for status in _SEVERITY if status in statuses), None)


def _write_clocks(ticket: TicketAggregate) -> None:
    at, rows = ticket.turn_at, {(row.metric, row.cycle): row for row in ticket.clock_rows}
    for key, clock in ticket.clocks.by_key.items():
        row = rows.get(key)
        columns = clock.model_dump() | attribution(clock, at, ticket.loaded, row.attributed_at if row else None)
        if row is None or not (row.stopped_at or row.cancelled_at):  # what was over keeps the policy under which it ended
            columns |= {"policy_id": ticket.row.policy_id, "policy_version": ticket.row.policy_version}
        if row is None:
            ticket.session.append(SlaClock, merchant_id=ticket.row.merchant_id, ticket_id=ticket.row.id, **columns)
        else:
            row.sqlmodel_update({name: value for name, value in columns.items() if getattr(row, name) != value})


def _summarise_clocks(ticket: TicketAggregate) -> None:
    live = ticket.clocks.live()
    latest = [clock for metric in Metric if (clock := ticket.clocks.latest(metric))]
    ticket.row.sla_status = worst([clock.status for clock in live] or [clock.status for clock in latest])
    due = [clock.due_at for clock in live if clock.is_running and clock.due_at and not clock.breached_at]
    ticket.row.next_due_at = min(due, default=None)
