"""What a ticket's workflow goes by, as its rows say it."""

from models.sla.policy import Metric
from models.sla.run_due import NAMES, deadlines_of, inputs_of
from models.tickets.aggregate import TicketAggregate
from models.tickets.messages import SHOWN, MissedTarget, TakenRung, TicketFacts


def facts_of(ticket: TicketAggregate) -> TicketFacts:
    """The facts as the rows say them, under the version in which they last changed."""
    row = ticket.row
    return TicketFacts(
        merchant_id=row.merchant_id,
        ticket_id=row.id,
        version=row.facts_version,
        number=row.number,
        status=row.status,
        priority=row.priority,
        sla_status=row.sla_status,
        escalation_level=row.escalation_level,
        is_assigned=row.assignee_id is not None,
        deadlines=() if ticket.has_ended else deadlines_of(inputs_of(ticket)),
        deadline_kinds=NAMES,
        has_ended=ticket.has_ended,
        merchant_slug=ticket.merchant_slug,
        category=row.category,
        agent_id=row.assignee_id,
        team_id=row.team_id,
        missed=_missed(ticket),
        rungs=_rungs(ticket),
    )


def _missed(ticket: TicketAggregate) -> tuple[MissedTarget, ...]:
    clocks = [clock for metric in Metric if (clock := ticket.clocks.latest(metric))]
    return tuple(MissedTarget(metric=clock.metric, cycle=clock.cycle, since=clock.breached_at) for clock in clocks if clock.breached_at)


def _rungs(ticket: TicketAggregate) -> tuple[TakenRung, ...]:
    """The last ones."""
    latest = sorted(ticket.escalations, key=lambda taken: (taken.taken_at, taken.id))[-SHOWN:]
    return tuple(
        TakenRung(level=each.level, metric=each.metric, taken_at=each.taken_at, outcome=each.outcome, to_agent_id=each.to_agent_id)
        for each in latest
    )
