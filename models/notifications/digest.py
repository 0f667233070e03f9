"""The digest: one e-mail that lists what the hourly limit of an address held back.

It goes ten minutes after the first notification that it lists, and an hour after the digest before it; it comes on top of the limit. Who
adds to it and who reads its list hold the lock of the address, so that nothing joins a list that was read: see :func:`lock_address`.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.notifications.kinds import NotificationKind
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification, RecipientKind
from models.outbox import post as outbox
from models.surveys.tables import Survey
from models.tickets.tables import Ticket

DIGEST_AFTER = timedelta(minutes=10)
DIGEST_EVERY = timedelta(hours=1)
MAX_LISTED = 100

_LOCK = Prepared[None]("SELECT pg_advisory_xact_lock(hashtextextended(:merchant || ' ' || lower(:address), 0))")
_LAST = Prepared[int, datetime, bool]("""
    SELECT id, posted_at, status = 'pending' AND admitted_at IS NULL AS is_open FROM notification
    WHERE merchant_id = :merchant AND lower(address) = lower(:address) AND kind = 'digest' ORDER BY id DESC LIMIT 1
""")
_CLOSE = Prepared[None]("UPDATE notification SET admitted_at = coalesce(admitted_at, now()) WHERE id = :digest")


class Held(NamedTuple):
    """A notification that a digest lists, and ``total``: how many there are, which may be more than it lists."""

    number: int
    subject: str
    ticket_id: int
    link_generation: int
    kind: NotificationKind
    recipient_kind: RecipientKind
    survey_id: int | None
    total: int


async def lock_address(session: TenantSession, address: str) -> None:
    """Until the end of the transaction no other one counts, holds back or lists notifications to the address."""
    await session.execute(_LOCK, {"merchant": str(session.merchant_id), "address": address})


async def digest_for(session: TenantSession, held_back: Notification, now: datetime) -> int:
    """The id of the address's next digest, which is opened if there is none. Under the lock of the address."""
    last = (await session.execute(_LAST, {"merchant": session.merchant_id, "address": held_back.address})).one_or_none()
    if last is not None and last.is_open:
        return int(last.id)
    return _open(session, held_back, now, max(now + DIGEST_AFTER, last.posted_at + DIGEST_EVERY if last else now))


def _open(session: TenantSession, first: Notification, now: datetime, due_at: datetime) -> int:
    """A notification to the same recipient, which leaves when it is due. It needs a ticket and a cause, and has those of the first."""
    ref = DeliveryRef(
        merchant_id=session.merchant_id, notification_id=session.new_id(), ticket_id=first.ticket_id, kind=NotificationKind.DIGEST
    )
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
    outbox.post_delivery(session, ref, Change(by=SYSTEM, at=due_at), not_before=due_at)
    return ref.notification_id


async def close_digest(session: TenantSession, digest: Notification) -> list[Held]:
    """Read what the digest lists: no clock says what joins it, only the lock. From here on nothing does, whatever becomes of this try.

    What has become pointless while it waited is cancelled, and so it is not listed; nor is a ticket that was deleted,
    or a survey that was withdrawn or answered.
    """
    await lock_address(session, digest.address)
    await session.execute(_CLOSE, {"digest": digest.id})
    return [Held(*row) for row in await session.execute(_LISTED, {"digest": digest.id})]


_SURVEY = sa.cast(col(Notification.context)["surveyId"].astext, sa.BigInteger)
_IS_ASKED = (col(Notification.kind) != NotificationKind.SURVEY) | (
    sa.select(Survey)
    .where(col(Survey.merchant_id) == col(Notification.merchant_id), col(Survey.id) == _SURVEY)
    .where(col(Survey.cancelled_at).is_(None), col(Survey.answered_at).is_(None))
    .exists()
)


def _place(of: Mapped[int]) -> sa.ColumnElement[int]:
    return sa.func.row_number().over(partition_by=of, order_by=col(Notification.id))


_RARE_FIRST = _place(col(Notification.recipient_id)) * _place(col(Notification.ticket_id))
"""Of more than are listed no flood hides the rest: neither one ticket's, nor that of another person who names the same address."""
_LISTED = (
    sa.select(col(Ticket.number), col(Ticket.subject), col(Ticket.id), col(Ticket.link_generation))
    .add_columns(col(Notification.kind), col(Notification.recipient_kind))
    .add_columns(_SURVEY, sa.func.count().over())
    .join(Ticket, (col(Ticket.merchant_id) == col(Notification.merchant_id)) & (col(Ticket.id) == col(Notification.ticket_id)))
    .where(col(Notification.digest_id) == sa.bindparam("digest"), col(Notification.status) == NotificationStatus.IN_DIGEST)
    .where(col(Ticket.deleted_at).is_(None), _IS_ASKED)
    .order_by(_RARE_FIRST, col(Notification.id))
    .limit(MAX_LISTED)
)
