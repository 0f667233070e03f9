"""At most so many notifications an hour to one address. What is held back is listed in one e-mail, the digest.

So a ticket that two machines answer each other on, or a storm of deadlines, fills no mailbox. A digest goes ten minutes after the first
notification that it lists, and an hour after the digest before it; it comes on top of the limit.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.db.session import TenantSession
from models.notifications.delivery_log import lock_notification
from models.notifications.kinds import NotificationKind
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification
from models.outbox import post as outbox
from models.tickets.tables import Ticket

DIGEST_AFTER = timedelta(minutes=10)
DIGEST_EVERY = timedelta(hours=1)
RACE = timedelta(seconds=10)
"""A notification may join a digest until it is due; by so much later it has committed, and the digest is read."""
MAX_LISTED = 100

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:merchant || ' ' || lower(:address), 0))")
_ADMIT = sa.text("""
    UPDATE notification SET admitted_at = now()
    WHERE id = :notification AND (admitted_at > now() - interval '1 hour' OR :limit > (
        SELECT count(*) FROM notification AS other
        WHERE other.merchant_id = :merchant AND lower(other.address) = lower(:address) AND other.admitted_at > now() - interval '1 hour'
    ))
    RETURNING id
""")
_LAST_DIGEST = sa.text("""
    SELECT id, status, posted_at FROM notification
    WHERE merchant_id = :merchant AND lower(address) = lower(:address) AND kind = 'digest' ORDER BY id DESC LIMIT 1
""")


async def admit(session: TenantSession, notification: Notification, limit: int) -> bool:
    """Count the notification for this hour and its address, or say that there are ``limit`` already. A further attempt counts once."""
    about = {"merchant": session.merchant_id, "address": notification.address}
    await session.execute(_LOCK, about | {"merchant": str(session.merchant_id)})
    return (await session.execute(_ADMIT, about | {"notification": notification.id, "limit": limit})).first() is not None


async def hold_back(session: TenantSession, notification_id: int, now: datetime) -> NotificationStatus:
    """Leave it to the address's next digest, in the transaction in which it was not admitted. ``now`` is that transaction's.

    One that was settled meanwhile stays as it is. Returns the status.
    """
    notification = await lock_notification(session, notification_id)
    if notification.status is not NotificationStatus.PENDING:
        return notification.status
    about = {"merchant": session.merchant_id, "address": notification.address}
    last = (await session.execute(_LAST_DIGEST, about)).one_or_none()
    if last is not None and last.status == NotificationStatus.PENDING and last.posted_at > now:
        digest_id = last.id
    else:
        due_at = max(now + DIGEST_AFTER, last.posted_at + DIGEST_EVERY if last else now)
        digest_id = await _open_digest(session, notification, now, due_at)
    notification.status, notification.settled_at, notification.digest_id = NotificationStatus.IN_DIGEST, now, digest_id
    await session.write()
    return notification.status


async def _open_digest(session: TenantSession, first: Notification, now: datetime, due_at: datetime) -> int:
    """A notification to the same recipient, which leaves when it is due. It needs a ticket and a cause, and has those of the first."""
    ref = DeliveryRef(merchant_id=session.merchant_id, notification_id=session.new_id())
    same = first.model_dump(include={"ticket_id", "cause_id", "channel", "recipient_kind", "recipient_id", "recipient_name", "address"})
    session.append(
        Notification,
        merchant_id=ref.merchant_id,
        id=ref.notification_id,
        **same,
        kind=NotificationKind.DIGEST,
        context={"actorName": None},
        status=NotificationStatus.PENDING,
        round=ref.round,
        created_at=now,
        posted_at=due_at,
    )
    outbox.post_delivery(session, ref, Change(by=SYSTEM, at=due_at), not_before=due_at + RACE)
    return ref.notification_id


async def listed(session: TenantSession, digest_id: int) -> list[str]:
    """A line for each notification that the digest lists; none about a ticket that was deleted meanwhile."""
    found = (await session.execute(_LISTED, {"digest": digest_id})).all()
    lines = [f"#{row.number} {row.subject} ({row.kind.replace('_', ' ')})" for row in found]
    rest = found[0].total - len(found) if found else 0
    return [*lines, f"and {rest} more"] if rest else lines


_LISTED = (
    sa.select(col(Ticket.number), col(Ticket.subject), col(Notification.kind), sa.func.count().over().label("total"))
    .join(Ticket, (col(Ticket.merchant_id) == col(Notification.merchant_id)) & (col(Ticket.id) == col(Notification.ticket_id)))
    .where(col(Notification.digest_id) == sa.bindparam("digest"), col(Ticket.deleted_at).is_(None))
    .order_by(col(Notification.id))
    .limit(MAX_LISTED)
)
