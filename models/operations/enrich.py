"""Context: what the agent should know before he answers. It never blocks or fails a ticket."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col

from models.operations.errors import NotFound
from models.tables.session import TenantSession
from models.tables.ticket import Ticket

EARLIER_SHOWN = 5


async def enrich(session: TenantSession, ticket_id: int, at: datetime) -> None:
    """Keep the reporter's latest earlier tickets with the ticket, once."""
    ticket = await session.get(Ticket, (session.merchant_id, ticket_id))
    if ticket is None:
        raise NotFound
    if ticket.context is None:
        earlier = await _earlier(session, ticket)
        context = {"gatheredAt": at.isoformat(), "earlierTickets": earlier[:EARLIER_SHOWN], "hasMore": len(earlier) > EARLIER_SHOWN}
        await session.execute(sa.update(Ticket).where(col(Ticket.id) == ticket_id).values(context=context))


async def _earlier(session: TenantSession, ticket: Ticket) -> list[dict[str, str | int]]:
    # Of the same organizer only: whoever may read this ticket may read those.
    same = col(Ticket.organizer_id).is_not_distinct_from(ticket.organizer_id)
    own = (col(Ticket.reporter_id) == ticket.reporter_id) & col(Ticket.deleted_at).is_(None) & same
    earlier = sa.select(Ticket).where(own, col(Ticket.created_at) < ticket.created_at).order_by(col(Ticket.created_at).desc())
    found = await session.execute(earlier.limit(EARLIER_SHOWN + 1))
    return [
        {"id": str(t.id), "number": t.number, "subject": t.subject, "status": t.status, "createdAt": t.created_at.isoformat()}
        for t in found.scalars()
    ]
