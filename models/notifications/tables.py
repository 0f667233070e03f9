"""Notifications, and the log of every attempt to deliver one."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql

from models.db.base import Row, big, choice, document, instant, of_ticket, text
from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus


class RecipientKind(StrEnum):
    AGENT = "agent"
    REPORTER = "reporter"


class Notification(Row, table=True):
    """One message to one recipient on one channel, written with the change that caused it; the key makes a repeated cause harmless."""

    __table_args__ = (
        of_ticket(),
        UniqueConstraint("merchant_id", "cause_id", "kind", "recipient_id", "channel"),
        Index("ix_notification_ticket", "merchant_id", "ticket_id", "id"),
        Index("ix_notification_open", "merchant_id", "status", "id", postgresql_where=sql("status <> 'sent'")),
        Index(
            "ix_notification_admitted", "merchant_id", sql("lower(address)"), "admitted_at", postgresql_where=sql("admitted_at IS NOT NULL")
        ),
        Index("ix_notification_digest", "merchant_id", sql("lower(address)"), "id", postgresql_where=sql("kind = 'digest'")),
        Index("ix_notification_listed", "merchant_id", "digest_id", "id", postgresql_where=sql("digest_id IS NOT NULL")),
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
    admitted_at: datetime | None = instant(
        nullable=True
    )  # under the hourly limit of its address, the last time; of a digest: when its list closed
    digest_id: int | None = big(nullable=True)  # which lists it instead


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
