"""Finding tickets by their words."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from models.db.session import TenantSession
from models.tickets.tables import Ticket, TicketWords

RARE = 1000
"""Of so many tickets with the words asked for, the ids are read from the index; of more, a list comes upon some soon, in its own order."""


async def with_words(session: TenantSession, text: str) -> sa.ColumnElement[bool]:
    """The condition that a ticket has the words of ``text``, which may use quotes, ``or`` and ``-`` as on the web."""
    asked = sa.func.websearch_to_tsquery("simple", text)
    found = (await session.execute(sa.select(sa.func.tickets_with(asked, RARE + 1, type_=ARRAY(sa.BigInteger))))).scalar_one()
    if len(found) <= RARE:
        return col(Ticket.id) == sa.any_(sa.literal(found, ARRAY(sa.BigInteger)))
    its = (col(TicketWords.merchant_id) == col(Ticket.merchant_id)) & (col(TicketWords.ticket_id) == col(Ticket.id))
    return sa.exists().where(its, col(TicketWords.words).op("@@")(asked))
