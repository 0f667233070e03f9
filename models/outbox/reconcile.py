"""What was lost is written to the outbox again: tickets whose deadline passed without an act, notifications without a delivery."""

from datetime import datetime

from models.audit import SYSTEM, Change
from models.db.session import TenantSession
from models.notifications.delivery_log import lock_notification, post_again
from models.notifications.messages import NotificationStatus
from models.tickets.repository import lock, save, with_id


async def send_facts_again(session: TenantSession, ticket_id: int, at: datetime) -> None:
    """Send the ticket's facts to its workflow once more, under a newer version, so that it adopts them."""
    ticket = await lock(session, with_id(ticket_id), Change(by=SYSTEM, at=at))
    ticket.known = None
    await save(ticket)


async def deliver_again(session: TenantSession, notification_id: int, at: datetime) -> None:
    """Its workflow was lost; should it exist after all, the delivery log keeps the two from delivering it twice."""
    notification = await lock_notification(session, notification_id)
    if notification.status is NotificationStatus.PENDING:
        await post_again(session, notification, Change(by=SYSTEM, at=at))
