"""Context: what the agent should know before they reply. It never blocks or fails a ticket."""

import sqlalchemy as sa
from sqlmodel import col

from models.db.prepared import Prepared
from models.tickets.aggregate import TicketAggregate
from models.tickets.tables import Ticket

EARLIER_SHOWN = 5
_EARLIER = Prepared(
    sa.select(col(Ticket.id))
    .where(col(Ticket.merchant_id) == sa.bindparam("merchant"), col(Ticket.reporter_id) == sa.bindparam("reporter"))
    .where(col(Ticket.created_at) < sa.bindparam("before"), col(Ticket.deleted_at).is_(None))
    # Of the same organizer only: most who may read this ticket may read those.
    .where(col(Ticket.organizer_id).is_not_distinct_from(sa.bindparam("organizer", type_=sa.BigInteger)))
    .order_by(col(Ticket.created_at).desc())
    .limit(EARLIER_SHOWN + 1)
)


async def enrich(ticket: TicketAggregate) -> None:
    """Keep the ids of the reporter's latest earlier tickets with the ticket, once. What they say is read when a caller asks."""
    row = ticket.row
    if row.context is not None:
        return
    whose = {"merchant": row.merchant_id, "reporter": row.reporter_id, "before": row.created_at, "organizer": row.organizer_id}
    earlier = [str(ticket_id) for ticket_id in (await ticket.session.execute(_EARLIER, whose)).scalars()]
    row.context = {
        "gatheredAt": ticket.requested_at.isoformat(),
        "earlierTicketIds": earlier[:EARLIER_SHOWN],
        "hasMore": len(earlier) > EARLIER_SHOWN,
    }
