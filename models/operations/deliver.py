"""The delivery log: what was tried to bring a letter to its recipient, and how it ended."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from models.messages.delivery import DeliveryRef, NotificationStatus
from models.operations import outbox
from models.operations.change import Change
from models.operations.errors import Conflict, NotFound
from models.tables.outgoing import AttemptOutcome, DeliveryAttempt, Notification
from models.tables.people import Agent, Merchant
from models.tables.session import TenantSession
from models.tables.ticket import Message, Ticket


class Letter(NamedTuple):
    """All that a letter is made of, read in one transaction."""

    notification: Notification
    ticket: Ticket
    merchant: Merchant
    message: Message | None
    agents: dict[int, str]


async def read_letter(session: TenantSession, ref: DeliveryRef) -> Letter | None:
    """The letter to deliver, or None when this round is over already.

    A try that began and never reported back may have been sent: the letter's state becomes unknown, and nobody sends it twice by himself.
    """
    notification = await lock_notification(session, ref.notification_id)
    if notification.round != ref.round or notification.status is not NotificationStatus.PENDING:
        return None
    if await _began_and_never_ended(session, notification):
        return None
    ticket = await session.get_one(Ticket, (session.merchant_id, notification.ticket_id))
    merchant = (await session.execute(sa.select(Merchant))).scalar_one()
    message_id = notification.context.get("messageId")
    message = await session.get(Message, (session.merchant_id, message_id)) if message_id else None
    return Letter(notification, ticket, merchant, message, await _names(session, notification))


async def lock_notification(session: TenantSession, notification_id: int) -> Notification:
    found = await session.execute(sa.select(Notification).where(col(Notification.id) == notification_id).with_for_update())
    notification = found.scalar_one_or_none()
    if notification is None:
        raise NotFound("notification")
    return notification


async def begin_attempt(session: TenantSession, ref: DeliveryRef, attempt: int, at: datetime) -> int:
    """Committed before the text is sent: whatever happens from here on, the try is known."""
    row = DeliveryAttempt(
        merchant_id=ref.merchant_id,
        id=session.new_id(),
        notification_id=ref.notification_id,
        round=ref.round,
        attempt=attempt,
        started_at=at,
        outcome=AttemptOutcome.UNKNOWN,
    )
    session.insert(row)
    await session.write()
    return row.id


async def end_attempt(  # noqa: PLR0913, PLR0917 - one a column
    session: TenantSession,
    attempt_id: int,
    outcome: AttemptOutcome,
    at: datetime,
    code: int | None,
    detail: str,
) -> None:
    ended = {"outcome": outcome, "finished_at": at, "code": code, "detail": detail}
    await session.execute(sa.update(DeliveryAttempt).where(col(DeliveryAttempt.id) == attempt_id).values(ended))


async def settle_notification(session: TenantSession, ref: DeliveryRef, status: NotificationStatus, at: datetime) -> NotificationStatus:
    """The end of this round. A letter that was settled already stays as it is."""
    notification = await lock_notification(session, ref.notification_id)
    if notification.round == ref.round and notification.status is NotificationStatus.PENDING:
        may_have_arrived = status is NotificationStatus.DEAD and await _began_and_never_ended(session, notification)
        notification.status, notification.settled_at = NotificationStatus.UNKNOWN if may_have_arrived else status, at
    return notification.status


async def replay(session: TenantSession, notification_id: int, change: Change) -> Notification:
    """Another round of tries for a letter that did not get through, or may not have: a delivery workflow of its own.

    Raises:
        Conflict: the letter is on its way, or was sent.
    """
    letter = await lock_notification(session, notification_id)
    if letter.status not in (NotificationStatus.DEAD, NotificationStatus.UNKNOWN):
        raise Conflict("not_dead", f"The letter is {letter.status.value}.")
    letter.status, letter.settled_at, letter.round = NotificationStatus.PENDING, None, letter.round + 1
    ref = DeliveryRef(merchant_id=letter.merchant_id, notification_id=letter.id, round=letter.round)
    outbox.post_delivery(session, ref, change)
    await session.write()
    return letter


async def _began_and_never_ended(session: TenantSession, notification: Notification) -> bool:
    same_round = (col(DeliveryAttempt.notification_id) == notification.id) & (col(DeliveryAttempt.round) == notification.round)
    hanging = sa.select(col(DeliveryAttempt.id)).where(same_round, col(DeliveryAttempt.finished_at).is_(None))
    return (await session.execute(hanging.limit(1))).first() is not None


async def _names(session: TenantSession, notification: Notification) -> dict[int, str]:
    ids = [id_ for key in ("fromAgentId", "toAgentId") if (id_ := notification.context.get(key))]
    found = await session.execute(sa.select(col(Agent.id), col(Agent.name)).where(col(Agent.id).in_(ids)))
    return {row.id: row.name for row in found}
