"""Where a conversation goes on whose ticket was merged into another one."""

from sqlmodel import col

from api.http.transaction import Work
from api.tickets.visibility import readable
from models.tickets.tables import Ticket


class GoesOn(Exception):
    """Not here, but on ``ticket_id``: to be written in a transaction of its own.

    The lock of the merged ticket is given back before the other one is locked: a merge takes two in the order of their ids, and who
    holds one of them and waits for the other, in any order, could wait in a circle with it.
    """

    def __init__(self, ticket_id: int) -> None:
        super().__init__(ticket_id)
        self.ticket_id = ticket_id


async def require_home(work: Work, ticket: Ticket) -> None:
    """A merged ticket sends its reporter on, if the other one is his own too.

    Raises:
        GoesOn: it is.
    """
    if ticket.merged_into_id is None:
        return
    his = readable(work.caller).where(col(Ticket.id) == ticket.merged_into_id).with_only_columns(col(Ticket.id))
    if (await work.session.execute(his)).first() is not None:
        raise GoesOn(ticket.merged_into_id)
