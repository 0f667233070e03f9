"""A survey: asked when a ticket is resolved."""

from datetime import datetime

from sqlalchemy import UniqueConstraint

from models.db.base import Row, big, instant, of_ticket, text


class Survey(Row, table=True):
    """Asked once per resolution cycle, answered at most once."""

    __table_args__ = (of_ticket(), UniqueConstraint("merchant_id", "ticket_id", "cycle"))

    ticket_id: int = big()
    cycle: int
    sent_at: datetime = instant()
    expires_at: datetime = instant()
    cancelled_at: datetime | None = instant(nullable=True)
    answered_at: datetime | None = instant(nullable=True)
    score: int | None = None
    comment: str | None = text(nullable=True)
