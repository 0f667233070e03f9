"""What Temporal has to hear, waiting for the relay."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, Text
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.db.base import as_text, big, choice, document, instant


class Topic(StrEnum):
    TICKET = "ticket"
    DELIVERY = "delivery"
    JOB = "job"


class Outbox(SQLModel, table=True):
    """One row for each workflow to be signalled, and for each notification to be delivered; ``key`` names it.

    The newest message replaces an older one that is still waiting.

    ``leased_until`` keeps two relays from delivering the same row; a lease that runs out (its relay died) is taken over.
    """

    __table_args__ = (
        Index("ix_outbox_facts", "merchant_id", "written_at", postgresql_where=sql("topic IN ('ticket', 'job')")),
        Index("ix_outbox_deliveries", "merchant_id", "written_at", postgresql_where=sql("topic IN ('delivery')")),
        {"info": {"replaces": True}},
    )

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    topic: Topic = choice(Topic)
    version: int = big()
    payload: dict[str, Any] = document()
    written_at: datetime = instant()
    leased_until: datetime | None = instant(nullable=True)


class Healing(SQLModel, table=True):
    """What was sent again and has not been acted on since: from ``next_at`` on it is tried once more, each time later than the last.

    Written by the relay's role. ``id`` is the ticket's, the notification's or the job's; ``since`` is when it was due.
    """

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    topic: Topic = Field(sa_type=as_text(Topic), primary_key=True)
    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    attempts: int
    since: datetime = instant()
    next_at: datetime = instant()
