"""Whose figure a cycle is: written with the cycle when it is breached, or else met, and true whatever becomes of the ticket later."""

from datetime import datetime
from typing import Any

from models.sla.clock import Clock, settle
from models.tickets.aggregate import Loaded


def attribution(clock: Clock, at: datetime, loaded: Loaded, was_attributed_at: datetime | None) -> dict[str, Any]:
    """The columns about the attribution, as of a change at ``at`` before which the ticket was as ``loaded``.

    A breach that became true and that nobody has recorded yet is attributed already: the first change after it keeps the traits that
    the ticket had at that instant. A cycle that goes on after it was met is unattributed again.
    """
    attributed_at = settle(clock, at).breached_at or clock.stopped_at
    columns = {"attributed_at": attributed_at, "used_seconds": int(clock.spent.total_seconds()) if clock.stopped_at else None}
    return columns if attributed_at == was_attributed_at else columns | _traits(loaded)


def _traits(loaded: Loaded) -> dict[str, Any]:
    return {
        "attributed_priority": loaded.priority,
        "attributed_team_id": loaded.team_id,
        "attributed_agent_id": loaded.assignee_id,
        "attributed_organizer_id": loaded.organizer_id,
    }
