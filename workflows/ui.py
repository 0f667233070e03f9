"""The small card that the Temporal UI shows of a ticket: no personal data, only what time is about."""

from models.tickets.messages import TicketFacts


def card(facts: TicketFacts) -> str:
    """Markdown: state, SLA, level, and the deadlines to come."""
    sla = facts.sla_status or "none"
    lines = [
        f"**Ticket #{facts.number}**, {facts.status}, priority {facts.priority}",
        f"- SLA: {sla}, escalation level {facts.escalation_level}, {'assigned' if facts.is_assigned else 'nobody has it'}",
        *(f"- {deadline.due_at:%Y-%m-%d %H:%M:%S}Z {deadline.kind} {deadline.key}" for deadline in facts.deadlines),
    ]
    return "\n".join(lines)
