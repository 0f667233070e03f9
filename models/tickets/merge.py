"""Two tickets about the same thing: one goes on, the other ends and says where."""

from models.errors import Conflict, Invalid
from models.surveys.survey import cancel_survey
from models.tickets.aggregate import TicketAggregate, id_text
from models.tickets.lifecycle import Status
from models.tickets.tables import Ticket
from models.tickets.transitions import end


async def merge(source: TicketAggregate, target: TicketAggregate) -> None:
    """``source`` ends and points to ``target``; what was said stays where it was said. Both are locked: see ``lock_both``.

    Raises:
        Invalid: they are the same. Conflict: one of them is at its end already.
    """
    if source.row.id == target.row.id:
        raise Invalid("same_ticket", "A ticket can't be merged into itself.", "/intoTicketId")
    _require_life(source.row, "ticket")
    _require_life(target.row, "target")
    source.row.merged_into_id = target.row.id
    end(source, "merged", "ticket.merged", intoTicketId=id_text(target.row.id))
    await cancel_survey(source)
    target.record("ticket.merged_from", fromTicketId=id_text(source.row.id))


def _require_life(ticket: Ticket, which: str) -> None:
    """``which`` begins the code of the refusal: whether it was the ticket itself or the one to merge it into."""
    if ticket.deleted_at is not None:
        raise Conflict(f"{which}_is_deleted", f"Ticket {ticket.number} is deleted.")
    if ticket.merged_into_id is not None:
        raise Conflict(f"{which}_is_merged", f"Ticket {ticket.number} was merged into another one.")
    if ticket.status is Status.CLOSED:
        raise Conflict(f"{which}_is_closed", f"Ticket {ticket.number} is closed.")
