"""What a ticket's workflow has to know: computed from the rows, compared with what it knows already."""

from models.sla.run_due import NAMES, deadlines_of, inputs_of
from models.tickets.aggregate import TicketAggregate
from models.tickets.messages import TicketFacts


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
    )
