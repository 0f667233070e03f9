"""A ticket, what was said on it, and what happened to it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKeyConstraint, Index, SmallInteger, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel

from models.db.base import Row, big, choice, document, instant, of_ticket, text, texts
from models.sla.clock import ClockStatus
from models.tickets.lifecycle import UNFINISHED, Channel, Priority, Status

AT_WORK = "status IN ({}) AND deleted_at IS NULL".format(", ".join(f"'{status}'" for status in sorted(UNFINISHED)))
"""The condition of the queue's index: what counts by it reads that, and not the tickets that are closed."""
_KEPT = "deleted_at IS NULL"


class Ticket(Row, table=True):
    """``version`` is the ETag; ``public_version`` and ``public_updated_at`` are what the reporter sees of it: they move only with what is
    shown to a reporter; ``facts_version`` is the last version that the workflow has to know of; ``is_queued`` says that
    the ticket waits for an agent of its team to have room; ``waiting_since`` is when the reporter wrote what has no reply yet;
    ``link_generation`` is how often a new link to the portal took the place of the earlier ones."""

    __table_args__ = (
        UniqueConstraint("merchant_id", "number"),
        ForeignKeyConstraint(["merchant_id", "reporter_id"], ["reporter.merchant_id", "reporter.id"]),
        ForeignKeyConstraint(["merchant_id", "assignee_id"], ["agent.merchant_id", "agent.id"]),
        ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"]),
        Index("ix_ticket_created", "merchant_id", "created_at", "id"),
        Index("ix_ticket_urgency", "merchant_id", "urgency", "id"),
        Index("ix_ticket_updated", "merchant_id", "updated_at", "id"),
        Index("ix_ticket_next_due", "merchant_id", "next_due_at", "id", postgresql_where=sql("next_due_at IS NOT NULL")),
        Index("ix_ticket_reporter", "merchant_id", "reporter_id", "created_at"),
        Index("ix_ticket_status", "merchant_id", "status", "created_at", "id", postgresql_where=sql(_KEPT)),
        Index("ix_ticket_assignee", "merchant_id", "assignee_id", "status", "created_at", "id", postgresql_where=sql(_KEPT)),
        Index("ix_ticket_team", "merchant_id", "team_id", "status", "created_at", "id", postgresql_where=sql(_KEPT)),
        Index(
            "ix_ticket_at_risk",
            "merchant_id",
            "sla_status",
            "created_at",
            "id",
            postgresql_where=sql(f"sla_status IN ('breached', 'imminent') AND {_KEPT}"),
        ),
        Index(
            "ix_ticket_queue",
            "merchant_id",
            "team_id",
            postgresql_where=sql(f"is_queued AND {AT_WORK}"),
        ),
        Index("ix_ticket_next_deadline", "next_deadline_at", postgresql_where=sql("next_deadline_at IS NOT NULL")),
        {
            "info": {
                "together": {
                    "version",
                    "updated_at",
                    "public_version",
                    "public_updated_at",
                    "event_sequence",
                    "facts_version",
                    "next_deadline_at",
                    "sla_status",
                    "next_due_at",
                }
            }
        },
    )

    number: int = big()
    organizer_id: int | None = big(nullable=True)
    subject: str = text()
    description: str = text()
    status: Status = choice(Status, Status.NEW)
    priority: Priority = choice(Priority, Priority.NORMAL)
    category: str | None = text(nullable=True)
    channel: Channel = choice(Channel, Channel.API)
    tags: list[str] = texts()
    custom_fields: dict[str, Any] = document()
    reporter_id: int = big()
    assignee_id: int | None = big(nullable=True)
    team_id: int | None = big(nullable=True)
    is_queued: bool = True
    policy_id: int | None = big(nullable=True)
    policy_version: int | None = None
    calendar_version: int | None = None
    ladder_version: int | None = None
    escalation_level: int = 0
    sla_status: ClockStatus | None = choice(ClockStatus, nullable=True)
    next_due_at: datetime | None = instant(nullable=True)
    next_deadline_at: datetime | None = instant(nullable=True)
    snoozed_until: datetime | None = instant(nullable=True)
    resolution_cycle: int = 0
    survey_at: datetime | None = instant(nullable=True)
    auto_close_at: datetime | None = instant(nullable=True)
    reopen_until: datetime | None = instant(nullable=True)
    follow_up_of_id: int | None = big(nullable=True)
    merged_into_id: int | None = big(nullable=True)
    created_at: datetime = instant()
    updated_at: datetime = instant()
    public_updated_at: datetime = instant()
    first_responded_at: datetime | None = instant(nullable=True)
    waiting_since: datetime | None = instant(nullable=True)
    resolved_at: datetime | None = instant(nullable=True)
    closed_at: datetime | None = instant(nullable=True)
    deleted_at: datetime | None = instant(nullable=True)
    version: int = 0
    public_version: int = 0
    facts_version: int = 0
    event_sequence: int = 0
    link_generation: int = 0
    urgency: int | None = Field(
        default=None,
        sa_type=SmallInteger,
        sa_column_args=(Computed("array_position(ARRAY['low','normal','high','urgent'], priority::text)", persisted=True),),
        nullable=False,
    )


class TicketWords(SQLModel, table=True):
    """A ticket's words, to be searched by. The database's own triggers write them, whenever a ticket's texts are written.

    Without a foreign key: there is no other way in, and a ticket is never deleted.
    """

    __table_args__ = (Index("ix_ticketwords_words", "merchant_id", "words", postgresql_using="gin"),)

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    ticket_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    words: str = Field(sa_type=TSVECTOR, nullable=False)


class CommentKind(StrEnum):
    REPLY = "reply"
    NOTE = "note"


class Comment(Row, table=True):
    """A public reply or an internal note."""

    __table_args__ = (of_ticket(), Index("ix_comment_ticket", "merchant_id", "ticket_id", "created_at", "id"))

    ticket_id: int = big()
    kind: CommentKind = choice(CommentKind)
    author_kind: str = text()
    author_id: int | None = big(nullable=True)
    author_name: str = text()
    body: str = text()
    created_at: datetime = instant()


class Event(Row, table=True):
    """The append-only audit: one row for every change, numbered within its ticket without gaps."""

    __table_args__ = (of_ticket(), UniqueConstraint("merchant_id", "ticket_id", "sequence"))

    ticket_id: int = big()
    sequence: int
    at: datetime = instant()
    actor_kind: str = text()
    actor_id: int | None = big(nullable=True)
    actor_name: str = text()
    kind: str = text()
    changes: dict[str, Any] = document()
    request_id: str | None = text(nullable=True)
