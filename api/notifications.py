"""Letters across tickets: which could not be delivered, and once more, please."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import LEADING, Caller, StaffCaller
from api.http.pagination import Order, Page, Paged
from api.http.path import NotificationId
from api.http.transaction import InUnit, Work, respond
from api.notification_views import notification_views
from api.tickets.responses import NotificationView
from api.tickets.visibility import readable
from models.errors import NotFound
from models.notifications.delivery_log import replay
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from models.tickets.tables import Ticket

router = APIRouter(prefix="/notifications", tags=["letters"])
Wanted = Annotated[NotificationStatus | None, Query(description="only letters in this state, for example `dead`")]


@router.get("", response_model=Page[NotificationView])
async def list_notifications(unit: InUnit, _staff: StaffCaller, pager: Paged, status: Wanted = None) -> Response:
    """Newest first, for leads and admins."""
    unit.caller.require(LEADING)
    notifications = _readable(unit.caller)
    if status is not None:
        notifications = notifications.where(col(Notification.status) == status)
    async with unit.reading() as session:
        rows, end = await pager.page(session, notifications, Order(Notification.id, Notification.id, is_descending=True))
        views = await notification_views(session, rows)
    return pager.respond(views, end)


@router.post("/{notification_id}/replay", response_model=NotificationView)
async def replay_notification(notification_id: NotificationId, unit: InUnit) -> Response:
    """Five more tries for a letter that is dead or unknown, under the same Message-ID. Of two who replay it, one gets a 409."""
    if not unit.caller.is_staff:
        raise NotFound  # a reporter sees no letters, not even that there are some
    unit.caller.require(LEADING)

    async def work(work: Work) -> Response:
        if (await work.session.execute(_readable(work.caller).where(col(Notification.id) == notification_id))).first() is None:
            raise NotFound
        notification = await replay(work.session, notification_id, work.change)
        return respond((await notification_views(work.session, [notification]))[0])

    return await unit.write(work)


def _readable(caller: Caller) -> Select[Notification]:
    """The letters about tickets that the caller may see."""
    tickets = readable(caller).with_only_columns(col(Ticket.id))
    return sa.select(Notification).where(col(Notification.merchant_id) == caller.merchant_id, col(Notification.ticket_id).in_(tickets))
