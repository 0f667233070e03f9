"""Context: what the agent should know before they reply. It never blocks or fails a ticket."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.db.session import TenantSession
from models.tickets.tables import Ticket

EARLIER_SHOWN = 5
_this, _earlier = aliased(Ticket), aliased(Ticket)
_EARLIER = (
    sa.select(col(_earlier.id), col(_earlier.number), col(_earlier.subject), col(_earlier.status), col(_earlier.created_at))
    .join(_this, (col(_this.merchant_id) == col(_earlier.merchant_id)) & (col(_this.reporter_id) == col(_earlier.reporter_id)))
    .where(col(_this.id) == sa.bindparam("ticket_id"), col(_earlier.created_at) < col(_this.created_at), col(_earlier.deleted_at).is_(None))
    # Of the same organizer only: a caller who may read this ticket may read those.
    .where(col(_earlier.organizer_id).is_not_distinct_from(col(_this.organizer_id)))
    .order_by(col(_earlier.created_at).desc())
    .limit(EARLIER_SHOWN + 1)
)
_KEEP = (
    sa.update(Ticket)
    .where(col(Ticket.id) == sa.bindparam("ticket_id"), col(Ticket.context).is_(None))
    .values(context=sa.bindparam("context", type_=sa.inspect(Ticket).columns["context"].type))
    .execution_options(synchronize_session=False)
)


async def enrich(session: TenantSession, ticket_id: int, at: datetime) -> None:
    """Keep the reporter's latest earlier tickets with the ticket, once."""
    earlier = [
        {"id": str(t.id), "number": t.number, "subject": t.subject, "status": t.status, "createdAt": t.created_at.isoformat()}
        for t in await session.execute(_EARLIER, {"ticket_id": ticket_id})
    ]
    context = {"gatheredAt": at.isoformat(), "earlierTickets": earlier[:EARLIER_SHOWN], "hasMore": len(earlier) > EARLIER_SHOWN}
    await session.execute(_KEEP, {"ticket_id": ticket_id, "context": context})
