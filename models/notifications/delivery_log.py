"""The delivery log: every attempt to deliver a notification, and how it ended.

The log also keeps two workers from delivering the same notification: an attempt has the next number of its round, which exists once, and
a round with an open attempt gets no other. Its instants are the database's own.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased, load_only
from sqlmodel import col

from models.audit import Change
from models.db.base import Row
from models.db.prepared import Prepared
from models.db.session import TenantSession, locked
from models.errors import Conflict, NotFound
from models.notifications.digest import Held
from models.notifications.messages import MAXIMUM_TRIES, DeliveryRef, NotificationStatus
from models.notifications.tables import AttemptOutcome, DeliveryAttempt, Notification
from models.outbox import post as outbox
from models.people.audit import record
from models.people.slugs import slug_of
from models.people.tables import Agent, Merchant
from models.tickets.tables import Comment, Ticket

# The row is locked, so that of an attempt that begins and a change that cancels the notification one sees the other.
_BEGIN = Prepared[int]("""
    WITH due AS (
        SELECT merchant_id, id, round FROM notification
        WHERE id = :notification AND round = :round AND status = 'pending' FOR NO KEY UPDATE
    )
    INSERT INTO deliveryattempt
        (merchant_id, id, notification_id, round, attempt, workflow_id, started_at, finished_at, outcome, code, detail)
    SELECT due.merchant_id, :id, due.id, due.round, 1 + count(earlier.id), :workflow_id, now(),
        CASE WHEN :is_over THEN now() END, :outcome, CAST(:code AS integer), CAST(:detail AS text)
    FROM due LEFT JOIN deliveryattempt AS earlier
        ON (earlier.merchant_id, earlier.notification_id, earlier.round) = (due.merchant_id, due.id, due.round)
    GROUP BY due.merchant_id, due.id, due.round
    HAVING count(*) FILTER (WHERE earlier.id IS NOT NULL AND earlier.finished_at IS NULL) = 0
    ON CONFLICT (merchant_id, notification_id, round, attempt) DO NOTHING
    RETURNING attempt
""")
_END = Prepared[None]("""
    UPDATE deliveryattempt SET finished_at = now(), outcome = :outcome, code = CAST(:code AS integer), detail = CAST(:detail AS text)
    WHERE id = :id
""")
_SETTLE = Prepared[None]("""
    UPDATE notification SET status = :status, settled_at = now() WHERE id = :notification AND round = :round AND status = 'pending'
""")


class Ending(NamedTuple):
    """How an attempt ended, and the mail server's own words about it."""

    outcome: AttemptOutcome
    code: int | None
    detail: str


class Delivery(NamedTuple):
    """All that an e-mail is made of, read at once; ``began`` is when the open attempt of this round began, if there is one.

    An attempt that is open for longer than ``lost_after`` was abandoned: its worker crashed.
    """

    notification: Notification
    ticket: Ticket
    merchant_name: str
    comment: str | None
    from_agent: str | None
    to_agent: str | None
    began: datetime | None
    now: datetime
    lost_after: timedelta
    listed: Sequence[Held] = ()
    """What a digest lists."""

    @property
    def is_under_way(self) -> bool:
        return self.began is not None and self.now - self.began <= self.lost_after

    @property
    def lost_in(self) -> timedelta:
        """When to look again at the open attempt: a moment after it is lost, so that a clock that is a little ahead is not too early."""
        return self.lost_after - (self.now - (self.began or self.now)) + timedelta(seconds=0.5)

    @property
    def may_have_been_sent(self) -> bool:
        """An attempt began and never reported back."""
        return self.began is not None and not self.is_under_way


async def read_delivery(session: TenantSession, ref: DeliveryRef, lost_after: timedelta) -> Delivery:
    """The notification as it stands.

    Raises:
        NotFound: there is none.
    """
    found = (await session.execute(_DELIVERY, {"notification": ref.notification_id, "round": ref.round})).one_or_none()
    if found is None:
        raise NotFound("notification")
    return Delivery._make((*found, lost_after, ()))


async def begin_attempt(session: TenantSession, ref: DeliveryRef, workflow_id: str, ending: Ending | None = None) -> tuple[int, int] | None:
    """The id and the number of a new attempt, to be committed before the text is sent: whatever happens then, the try is known.

    One that ended before any text was sent is written with its ``ending``. None when the notification is settled, or another worker has it.
    """
    attempt_id = session.new_id()
    values = (ending or Ending(AttemptOutcome.UNKNOWN, None, ""))._asdict()
    about = {"id": attempt_id, "notification": ref.notification_id, "round": ref.round, "workflow_id": workflow_id}
    number = (await session.execute(_BEGIN, about | values | {"is_over": ending is not None})).scalar_one_or_none()
    return None if number is None else (attempt_id, number)


async def end_attempt(session: TenantSession, attempt_id: int, ending: Ending) -> None:
    await session.execute(_END, {"id": attempt_id, **ending._asdict()})


async def settle(session: TenantSession, ref: DeliveryRef, status: NotificationStatus) -> None:
    """The end of this round. A notification that was settled already stays as it is."""
    await session.execute(_SETTLE, {"notification": ref.notification_id, "round": ref.round, "status": status})


def status_after(ending: Ending, attempt: int) -> NotificationStatus:
    """How the notification stands after its ``attempt``-th attempt ended so."""
    if ending.outcome is AttemptOutcome.TRANSIENT:
        return NotificationStatus.PENDING if attempt < MAXIMUM_TRIES else NotificationStatus.DEAD
    return _FINAL[ending.outcome]


async def lock_notification(session: TenantSession, notification_id: int) -> Notification:
    found = await session.execute(locked(sa.select(Notification).where(col(Notification.id) == notification_id)))
    notification = found.scalar_one_or_none()
    if notification is None:
        raise NotFound("notification")
    return notification


async def leave_unknown(session: TenantSession, notification_id: int) -> None:
    """It may have been sent, and nobody knows: it is not sent by itself."""
    notification = await lock_notification(session, notification_id)
    if notification.status is NotificationStatus.PENDING:
        about = DeliveryRef(merchant_id=notification.merchant_id, notification_id=notification.id, round=notification.round)
        await settle(session, about, NotificationStatus.UNKNOWN)


async def replay(session: TenantSession, notification_id: int, change: Change) -> Notification:
    """What a person asks for: :func:`begin_round`, with an entry in the audit."""
    record(session, change, "notification.replayed", notification_id)
    return await begin_round(session, notification_id, change)


async def begin_round(session: TenantSession, notification_id: int, change: Change) -> Notification:
    """Another round of attempts for a notification that did not get through, or may not have.

    Raises:
        Conflict: it is on its way, or was sent.
    """
    notification = await lock_notification(session, notification_id)
    if notification.status not in (NotificationStatus.DEAD, NotificationStatus.UNKNOWN):
        raise Conflict("not_dead", f"The notification is {notification.status.value}.")
    notification.status, notification.settled_at, notification.round = NotificationStatus.PENDING, None, notification.round + 1
    await post_again(session, notification, change)
    return notification


async def post_again(session: TenantSession, notification: Notification, change: Change) -> None:
    notification.posted_at = change.at
    ref = DeliveryRef(
        merchant_id=notification.merchant_id,
        notification_id=notification.id,
        round=notification.round,
        request_id=change.request_id,
        merchant_slug=await slug_of(session),
        ticket_id=notification.ticket_id,
        kind=notification.kind,
    )
    outbox.post_delivery(session, ref, change)
    await session.write()


_FINAL = {
    AttemptOutcome.SENT: NotificationStatus.SENT,
    AttemptOutcome.UNKNOWN: NotificationStatus.UNKNOWN,
    AttemptOutcome.PERMANENT: NotificationStatus.DEAD,
}


def _same_merchant(table: type[Row]) -> sa.ColumnElement[bool]:
    return col(table.merchant_id) == col(Notification.merchant_id)


def _named(key: str) -> sa.ColumnElement[int]:
    return sa.cast(col(Notification.context)[key].astext, sa.BigInteger)


_old, _new = aliased(Agent), aliased(Agent)
_HANGING = (
    sa.select(sa.func.min(col(DeliveryAttempt.started_at)))
    .where(_same_merchant(DeliveryAttempt), col(DeliveryAttempt.notification_id) == col(Notification.id))
    .where(col(DeliveryAttempt.round) == sa.bindparam("round"), col(DeliveryAttempt.finished_at).is_(None))
    .correlate(Notification)
    .scalar_subquery()
)
_DELIVERY: sa.Select[Any] = (
    sa.select(Notification, Ticket)
    .add_columns(col(Merchant.name), col(Comment.body), col(_old.name), col(_new.name), _HANGING, sa.func.now())
    .join(Ticket, _same_merchant(Ticket) & (col(Ticket.id) == col(Notification.ticket_id)))
    .join(Merchant, col(Merchant.id) == col(Notification.merchant_id))
    .outerjoin(Comment, _same_merchant(Comment) & (col(Comment.id) == _named("messageId")))
    .outerjoin(_old, _same_merchant(_old) & (col(_old.id) == _named("fromAgentId")))
    .outerjoin(_new, _same_merchant(_new) & (col(_new.id) == _named("toAgentId")))
    .where(col(Notification.id) == sa.bindparam("notification"))
    .options(load_only(*map(col, (Ticket.number, Ticket.subject, Ticket.status, Ticket.priority, Ticket.category, Ticket.link_generation))))  # type: ignore[arg-type]
)
"""The notification and all that it speaks of, in one round trip."""
