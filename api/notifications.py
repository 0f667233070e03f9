"""Notifications across tickets: which could not be delivered, and their replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import allow
from api.http.pagination import Order, Page, Paged
from api.http.path import NotificationId
from api.http.responses import Id, ResponseBody, respond
from api.http.transaction import CurrentChange, Session, TransactionRoute, viewer_of
from api.tickets.responses import PersonResponse
from models.db.session import TenantSession
from models.errors import NotFound
from models.notifications.delivery_log import replay
from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import AttemptOutcome, DeliveryAttempt, Notification
from models.people.permissions import Permission
from models.tickets.tables import Ticket
from models.tickets.visibility import readable

router = APIRouter(prefix="/notifications", tags=["notifications"], route_class=TransactionRoute)
InState = Annotated[NotificationStatus | None, Query(description="only notifications in this state, for example `dead`")]


class AttemptResponse(ResponseBody):
    attempt: int
    started_at: datetime
    finished_at: datetime | None
    outcome: AttemptOutcome
    code: int | None
    detail: str | None


class NotificationResponse(ResponseBody):
    id: Id
    ticket_id: Id
    kind: NotificationKind
    channel: str
    recipient: PersonResponse
    status: NotificationStatus
    created_at: datetime
    settled_at: datetime | None
    attempts: list[AttemptResponse]


@router.get("", response_model=Page[NotificationResponse], dependencies=[allow(Permission.READ_NOTIFICATIONS)])
async def list_notifications(session: Session, pager: Paged, status: InState = None) -> Response:
    """Newest first, for leads and admins."""
    notifications = _readable(session)
    if status is not None:
        notifications = notifications.where(col(Notification.status) == status)
    rows, end = await pager.page(session, notifications, Order(Notification.id, Notification.id, is_descending=True))
    return pager.respond(await with_attempts(session, rows), end)


@router.post("/{notification_id}/replay", response_model=NotificationResponse, dependencies=[allow(Permission.REPLAY_NOTIFICATION)])
async def replay_notification(notification_id: NotificationId, session: Session, change: CurrentChange) -> Response:
    """Five more attempts for a notification that is dead or unknown, under the same Message-ID. Of two who replay it, one gets a 409."""
    if (await session.execute(_readable(session).where(col(Notification.id) == notification_id))).first() is None:
        raise NotFound("notification")
    notification = await replay(session, notification_id, change)
    return respond((await with_attempts(session, [notification]))[0])


def _readable(session: TenantSession) -> Select[Notification]:
    """The notifications about tickets that the caller may see."""
    tickets = readable(viewer_of(session)).with_only_columns(col(Ticket.id))
    return sa.select(Notification).where(col(Notification.merchant_id) == session.merchant_id, col(Notification.ticket_id).in_(tickets))


async def with_attempts(session: TenantSession, notifications: Sequence[Notification]) -> list[NotificationResponse]:
    """Each with every attempt to deliver it."""
    attempts = await _attempts(session, [row.id for row in notifications])
    return [_shown(notification, attempts[notification.id]) for notification in notifications]


async def _attempts(session: TenantSession, ids: Sequence[int]) -> dict[int, list[AttemptResponse]]:
    of_these = (col(DeliveryAttempt.merchant_id) == session.merchant_id) & col(DeliveryAttempt.notification_id).in_(ids)
    found = await session.execute(sa.select(DeliveryAttempt).where(of_these).order_by(col(DeliveryAttempt.id)))
    attempts: dict[int, list[AttemptResponse]] = {notification_id: [] for notification_id in ids}
    for row in found.scalars():
        attempts[row.notification_id].append(AttemptResponse.model_validate(row))
    return attempts


def _shown(row: Notification, attempts: list[AttemptResponse]) -> NotificationResponse:
    shown = row.model_dump(include={"id", "ticket_id", "kind", "channel", "status", "created_at", "settled_at"})
    recipient = PersonResponse(id=row.recipient_id, name=row.recipient_name, email=row.address)
    return NotificationResponse(**shown, recipient=recipient, attempts=attempts)
