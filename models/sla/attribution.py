"""Whose figure a cycle is: written with the cycle when it is breached, or else met, and true whatever becomes of the ticket later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.sla.clock import Clock, settle
from models.tickets.tables import Ticket


def traits_that_count(ticket: Ticket) -> dict[str, Any]:
    return {
        "attributed_priority": ticket.priority,
        "attributed_team_id": ticket.team_id,
        "attributed_agent_id": ticket.assignee_id,
        "attributed_organizer_id": ticket.organizer_id,
    }


def attribution(clock: Clock, at: datetime, traits: Mapping[str, Any], was_attributed_at: datetime | None) -> dict[str, Any]:
    """The columns about the decision, as of a change at ``at`` before which the ticket had ``traits``.

    A breach that became true and that nobody has recorded yet is decided already: the first change after it keeps the traits that
    the ticket had at that instant. A cycle that goes on after it was met is undecided again.
    """
    attributed_at = settle(clock, at).breached_at or clock.stopped_at
    columns = {"attributed_at": attributed_at, "used_seconds": int(clock.spent.total_seconds()) if clock.stopped_at else None}
    return columns if attributed_at == was_attributed_at else {**columns, **traits}
