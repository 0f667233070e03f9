"""At most so many notifications an hour to one address. What is held back is listed in one e-mail: see :mod:`models.notifications.digest`.

So a ticket that two machines answer each other on, or a storm of deadlines, fills no mailbox.
"""

from datetime import datetime

from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.notifications.delivery_log import lock_notification
from models.notifications.digest import digest_for, lock_address
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification

_ADMIT = Prepared[int]("""
    UPDATE notification SET admitted_at = now()
    WHERE id = :notification AND (admitted_at > now() - interval '1 hour' OR :limit > (
        SELECT count(*) FROM notification AS other
        WHERE other.merchant_id = :merchant AND lower(other.address) = lower(:address) AND other.kind <> 'digest'
            AND other.admitted_at > now() - interval '1 hour'
    ))
    RETURNING id
""")


async def admit(session: TenantSession, notification: Notification, limit: int) -> bool:
    """Count the notification for this hour and its address, or say that there are ``limit`` already. A further attempt counts once."""
    await lock_address(session, notification.address)
    about = {"merchant": session.merchant_id, "address": notification.address, "notification": notification.id}
    return (await session.execute(_ADMIT, about | {"limit": limit})).first() is not None


async def hold_back(session: TenantSession, notification_id: int, now: datetime) -> NotificationStatus:
    """Leave it to the address's next digest, in the transaction in which it was not admitted. ``now`` is that transaction's.

    One that was settled meanwhile stays as it is. Returns the status.
    """
    notification = await lock_notification(session, notification_id)
    if notification.status is not NotificationStatus.PENDING:
        return notification.status
    digest_id = await digest_for(session, notification, now)
    notification.status, notification.settled_at, notification.digest_id = NotificationStatus.IN_DIGEST, now, digest_id
    await session.write()
    return notification.status
