"""Letters with every try to deliver them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col

from api.tickets.responses import AttemptView, NotificationView, PersonView
from models.db.session import TenantSession
from models.notifications.tables import DeliveryAttempt, Notification


async def notification_views(session: TenantSession, notifications: Sequence[Notification]) -> list[NotificationView]:
    attempts = await _attempts(session, notifications)
    return [_notification(notification, attempts) for notification in notifications]


async def _attempts(session: TenantSession, notifications: Sequence[Notification]) -> dict[int, list[AttemptView]]:
    shown = (col(DeliveryAttempt.merchant_id) == session.merchant_id) & col(DeliveryAttempt.notification_id).in_(
        [row.id for row in notifications]
    )
    found = await session.execute(sa.select(DeliveryAttempt).where(shown).order_by(col(DeliveryAttempt.id)))
    attempts: dict[int, list[AttemptView]] = {notification.id: [] for notification in notifications}
    for row in found.scalars():
        attempts[row.notification_id].append(AttemptView.model_validate(row))
    return attempts


def _notification(row: Notification, attempts: dict[int, list[AttemptView]]) -> NotificationView:
    shown = row.model_dump(include={"id", "ticket_id", "kind", "channel", "status", "created_at", "settled_at"})
    recipient = PersonView(id=row.recipient_id, name=row.recipient_name, email=row.address)
    return NotificationView(**shown, recipient=recipient, attempts=attempts[row.id])
