"""What an operator reads of a ticket in the Temporal UI: no personal data, only what its deadlines are about."""

from collections.abc import Sequence

from models.sla.deadlines import Deadline
from models.tickets.messages import TicketFacts


def card(facts: TicketFacts) -> str:
    """Markdown: status, SLA, level, and the deadlines to come."""
    sla = facts.sla_status or "none"
    lines = [
        f"**Ticket #{facts.number}**, {facts.status}, priority {facts.priority}",
        f"- SLA: {sla}, escalation level {facts.escalation_level}, {'assigned' if facts.is_assigned else 'not assigned'}",
        *(f"- {deadline.due_at:%Y-%m-%d %H:%M:%S}Z {named([deadline])}" for deadline in facts.deadlines),
    ]
    return "\n".join(lines)


def named(deadlines: Sequence[Deadline]) -> str:
    """What a timer or an activity is about."""
    return ", ".join(f"{deadline.kind} {deadline.key}".strip() for deadline in deadlines)
