"""Which notifications are meant: in a list, and by a replay of many."""

from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import col

from models.db.session import TenantSession
from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from models.tickets.tables import Ticket
from models.value import Value


class Conditions(Protocol):
    """What a notification may be chosen by. None lets every one through; ``since`` is when it was made."""

    @property
    def status(self) -> NotificationStatus | None: ...
    @property
    def kind(self) -> NotificationKind | None: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def ticket_id(self) -> int | None: ...
    @property
    def since(self) -> datetime | None: ...


class Filter(Value):
    """As a job keeps it."""

    status: NotificationStatus = NotificationStatus.DEAD
    kind: NotificationKind | None = None
    channel: str | None = None
    ticket_id: int | None = None
    since: datetime | None = None


def having(said: Conditions) -> list[Any]:
    one = {"status": said.status, "kind": said.kind, "channel": said.channel, "ticket_id": said.ticket_id}
    notification: Any = Notification
    conditions = [getattr(notification, name) == value for name, value in one.items() if value is not None]
    return conditions if said.since is None else [*conditions, col(Notification.created_at) >= said.since]


def notifications_of(session: TenantSession, request: dict[str, Any], cursor: int) -> Select[Notification]:
    """What is left to replay, by id: of all that were there when the job began, and that are not about a deleted ticket."""
    there = sa.select(col(Ticket.id)).where(col(Ticket.merchant_id) == session.merchant_id, col(Ticket.deleted_at).is_(None))
    left = (col(Notification.id) > cursor) & (col(Notification.id) <= int(request["lastNotificationId"]))
    mine = sa.select(Notification).where(col(Notification.merchant_id) == session.merchant_id, col(Notification.ticket_id).in_(there), left)
    return mine.where(*having(Filter.model_validate(request["filter"]))).order_by(col(Notification.id))
