"""What leaves the database: signals to the engine, and letters to people."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.messages.delivery import NotificationStatus
from models.policy.notification import NotificationKind
from models.tables.base import Row, big, choice, document, instant, of_ticket, text


class Topic(StrEnum):
    TICKET = "ticket"
    DELIVERY = "delivery"
    JOB = "job"


class Outbox(SQLModel, table=True):
    """One row for each workflow that has news to hear, and for each letter to be delivered; ``key`` names it.

    The newest message replaces an older one that is still waiting.

    ``leased_until`` keeps two relays from delivering the same row; a lease that runs out (its relay died) is taken over.
    """

    __table_args__ = (Index("ix_outbox_waiting", "leased_until", "written_at"), {"info": {"replaces": True}})

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    topic: Topic = choice(Topic)
    version: int = big()
    payload: dict[str, Any] = document()
    written_at: datetime = instant()
    leased_until: datetime | None = instant(nullable=True)


class RecipientKind(StrEnum):
    AGENT = "agent"
    REPORTER = "reporter"


class Notification(Row, table=True):
    """One letter to one recipient, written with the change that caused it: the unique key makes a repeated cause harmless."""

    __table_args__ = (
        of_ticket(),
        UniqueConstraint("merchant_id", "cause_id", "kind", "recipient_id", "channel"),
        Index("ix_notification_ticket", "merchant_id", "ticket_id", "id"),
        Index("ix_notification_open", "merchant_id", "status", "id", postgresql_where=sql("status <> 'sent'")),
    )

    ticket_id: int = big()
    cause_id: int = big()
    kind: NotificationKind = choice(NotificationKind)
    channel: str = text("email")
    recipient_kind: RecipientKind = choice(RecipientKind)
    recipient_id: int = big()
    recipient_name: str = text()
    address: str = text()
    context: dict[str, Any] = document()
    status: NotificationStatus = choice(NotificationStatus, NotificationStatus.PENDING)
    round: int = 0
    created_at: datetime = instant()
    posted_at: datetime = instant()  # for delivery, the last time
    settled_at: datetime | None = instant(nullable=True)


class AttemptOutcome(StrEnum):
    SENT = "sent"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


class DeliveryAttempt(Row, table=True):
    """The delivery log. An attempt is committed as unknown before the text is sent, and settled by the server's answer."""

    __table_args__ = (
        ForeignKeyConstraint(["merchant_id", "notification_id"], ["notification.merchant_id", "notification.id"]),
        UniqueConstraint("merchant_id", "notification_id", "round", "attempt"),
    )

    notification_id: int = big()
    round: int = 0
    attempt: int
    workflow_id: str = text()
    started_at: datetime = instant()
    finished_at: datetime | None = instant(nullable=True)
    outcome: AttemptOutcome = choice(AttemptOutcome)
    code: int | None = None
    detail: str | None = text(nullable=True)


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


class IdempotencyKey(SQLModel, table=True):
    """The stored answer to a POST, written in the transaction of its effect. A new one replaces one that is too old to be given."""

    __table_args__ = (Index("ix_idempotencykey_created", "created_at"), {"info": {"replaces": True}})

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    scope: str = Field(sa_type=Text, primary_key=True)  # sha256 of subject, route and key
    request_hash: str = text()
    status: int
    headers: dict[str, Any] = document()
    body: str = text()
    created_at: datetime = instant()
