"""Soft delete: a ticket disappears for everybody but an admin, and can be brought back. An id is never used again."""

from datetime import datetime, timedelta

from models.errors import Conflict
from models.sla import tracking as clocks
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import release_if_retired
from models.tickets.tables import Ticket


def delete(ticket: TicketAggregate) -> None:
    """Its clocks end and its workflow with them."""
    ticket.row.deleted_at = ticket.turn_at  # the very instant at which the clocks end, by which a restoration knows them
    clocks.deleted(ticket)
    ticket.record("ticket.deleted")


async def restore(ticket: TicketAggregate) -> None:
    """Back as it was: the clocks go on; while it was deleted none ran. What was to follow follows later by that time."""
    deleted_at = ticket.row.deleted_at
    if deleted_at is None:
        raise Conflict("not_deleted", "The ticket is not deleted.")
    ticket.row.deleted_at = None
    ticket.record("ticket.restored")
    clocks.restored(ticket, deleted_at)
    _postpone(ticket.row, deleted_at, ticket.turn_at)
    await release_if_retired(ticket)


def _postpone(ticket: Ticket, deleted_at: datetime, at: datetime) -> None:
    """A survey or an automatic end within that time would come all at once. A snooze's end stays, as a person named it, or is now."""
    by = max(at - deleted_at, timedelta())
    ticket.snoozed_until = ticket.snoozed_until and max(ticket.snoozed_until, at)
    ticket.survey_at = ticket.survey_at and ticket.survey_at + by
    ticket.auto_close_at = ticket.auto_close_at and ticket.auto_close_at + by
    ticket.reopen_until = ticket.reopen_until and ticket.reopen_until + by
