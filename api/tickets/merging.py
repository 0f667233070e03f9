"""Two tickets about the same thing become one."""

from fastapi import APIRouter, Response

from api.http.path import TicketId
from api.http.transaction import InUnit, Work
from api.tickets.requests import Merge
from api.tickets.responses import TicketView
from models.tickets.merge import merge

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["process"])


@router.post("/merge", response_model=TicketView)
async def merge_ticket(ticket_id: TicketId, body: Merge, unit: InUnit) -> Response:
    """The ticket is closed and points to the other one, whose history says so.

    Messages stay where they are; the reporter's next one goes on there, if that ticket is his own too. If-Match is about the ticket that is
    merged, which is the answer.
    """
    await unit.require_staff(ticket_id)

    async def work(work: Work) -> Response:
        async with work.both(ticket_id, body.into_ticket_id) as (source, target):
            await merge(source, target)
        return await work.ticket(source)

    return await unit.write(work)
