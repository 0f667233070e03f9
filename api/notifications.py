"""Notifications across tickets: which could not be delivered, and their replay."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import allow
from api.http.pagination import Order, Page, Pager
from api.http.path import NotificationId
from api.http.responses import Id, ResponseBody, respond
from api.http.transaction import CurrentCaller, CurrentChange, CurrentTransaction, Session, TransactionRoute, viewer_of
from api.jobs import JobResponse, begun
from api.tickets.requests import Id as WantedId
from api.tickets.requests import Instant
from api.tickets.responses import PersonResponse
from models.db.session import TenantSession
from models.errors import NotFound
from models.jobs.tables import JobKind
from models.notifications.delivery_log import replay
from models.notifications.filter import having
from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import AttemptOutcome, DeliveryAttempt, Notification
from models.people.permissions import Permission
from models.tickets.tables import Ticket
from models.tickets.visibility import readable
from models.value import Value

router = APIRouter(prefix="/notifications", tags=["notifications"], route_class=TransactionRoute)


class NotificationFilter(Value):
    """Of several conditions all must hold. ``since`` is when the notification was made."""

    status: NotificationStatus | None = None
    kind: NotificationKind | None = None
    channel: Annotated[str | None, Field(max_length=40, pattern=r"^[a-z_]+$")] = None
    ticket_id: WantedId | None = None
    since: Instant | None = None


class NotificationQuery(NotificationFilter):
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str | None, Field(max_length=2000)] = None


class Replayable(StrEnum):
    """``unknown`` may have arrived: a replay sends it perhaps a second time."""

    DEAD = NotificationStatus.DEAD.value
    UNKNOWN = NotificationStatus.UNKNOWN.value


class ReplayFilter(NotificationFilter):
    """The same, for those that are dead; or for those that are unknown, when it says so."""

    status: Replayable = Replayable.DEAD  # type: ignore[assignment]


class Replay(Value):
    """Without a filter everything that is dead."""

    filter: ReplayFilter = ReplayFilter()


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
async def list_notifications(
    query: Annotated[NotificationQuery, Query()], session: Session, caller: CurrentCaller, request: Request
) -> Response:
    """Newest first, for leads and admins."""
    pager = Pager(request, caller, query.limit, query.after)
    notifications = _readable(session).where(*having(query))
    rows, end = await pager.page(session, notifications, Order(Notification.id, Notification.id, is_descending=True))
    return pager.respond(await with_attempts(session, rows), end)


@router.post("/{notification_id}/replay", response_model=NotificationResponse, dependencies=[allow(Permission.REPLAY_NOTIFICATION)])
async def replay_notification(notification_id: NotificationId, session: Session, change: CurrentChange) -> Response:
    """Five more attempts for a notification that is dead or unknown, under the same Message-ID. Of two who replay it, one gets a 409."""
    if (await session.execute(_readable(session).where(col(Notification.id) == notification_id))).first() is None:
        raise NotFound("notification")
    notification = await replay(session, notification_id, change)
    return respond((await with_attempts(session, [notification]))[0])


@router.post("/replays", status_code=202, response_model=JobResponse, dependencies=[allow(Permission.REPLAY_NOTIFICATIONS)])
async def replay_notifications(transaction: CurrentTransaction, body: Replay | None = None) -> Response:
    """Five more attempts for each notification of the filter that is dead, or unknown if it says so, as a job that comes before others.

    Who replayed is in the audit. One that a person replays meanwhile is left as it is.
    """
    wanted = (body or Replay()).filter
    said = wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
    if wanted.ticket_id is not None:
        said["ticketId"] = str(wanted.ticket_id)
    return await begun(transaction, JobKind.NOTIFICATION_REPLAY, {"filter": said})


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
