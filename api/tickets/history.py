"""What happened to a ticket and what it is held to: for those who work on it."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlmodel import col

from api.auth.caller import allow
from api.http.pagination import Order, Page, Paged, bytes_of
from api.http.responses import respond
from api.http.transaction import Now, Session, TransactionRoute, viewer_of
from api.notifications import NotificationResponse, with_attempts
from api.tickets.locking import VisibleTicket
from api.tickets.responses import (
    ActorResponse,
    ContextResponse,
    CycleResponse,
    EarlierTicketResponse,
    EscalationResponse,
    EventResponse,
    SegmentResponse,
)
from api.tickets.timeline import IN_ORDER, cycle, next_of_each_clock, segments
from models.notifications.tables import Notification
from models.people.permissions import Permission
from models.sla.policy import Metric
from models.sla.rulebook import configuration_of
from models.sla.tables import Escalation, LedgerEntry, SlaClock
from models.tickets.tables import Event, Ticket
from models.tickets.visibility import of_ticket, readable

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["history"], route_class=TransactionRoute)
_EARLIER = tuple(getattr(Ticket, name) for name in EarlierTicketResponse.model_fields)
EARLIER_SHOWN = 5
OnlyOf = Annotated[Metric | None, Query(description="only the cycles of this one")]


@router.get("/events", response_model=Page[EventResponse], dependencies=[allow(Permission.READ_HISTORY)])
async def list_events(ticket: VisibleTicket, session: Session, pager: Paged) -> Response:
    """The audit, in order and without gaps."""
    rows, end = await pager.page(session, of_ticket(Event, ticket), Order(Event.sequence, Event.id), bytes_of(Event.changes))
    return pager.respond([_event(row) for row in rows], end)


@router.get("/escalations", response_model=Page[EscalationResponse], dependencies=[allow(Permission.READ_HISTORY)])
async def list_escalations(ticket: VisibleTicket, session: Session, pager: Paged) -> Response:
    """Every rung that was taken, in order."""
    rows, end = await pager.page(session, of_ticket(Escalation, ticket), Order(Escalation.taken_at, Escalation.id))
    return pager.respond([EscalationResponse.model_validate(row) for row in rows], end)


@router.get("/notifications", response_model=Page[NotificationResponse], dependencies=[allow(Permission.READ_HISTORY)])
async def list_ticket_notifications(ticket: VisibleTicket, session: Session, pager: Paged) -> Response:
    """Every notification about this ticket, with each attempt to deliver it."""
    rows, end = await pager.page(session, of_ticket(Notification, ticket), Order(Notification.created_at, Notification.id))
    return pager.respond(await with_attempts(session, rows), end)


@router.get("/sla", response_model=Page[CycleResponse], dependencies=[allow(Permission.READ_SLA)])
async def show_sla(ticket: VisibleTicket, session: Session, now: Now, pager: Paged, metric: OnlyOf = None) -> Response:
    """Current and past cycles of each metric, as of now, in their order."""
    calendar = (await configuration_of(session, ticket)).calendar
    clocks = of_ticket(SlaClock, ticket).where(*([] if metric is None else [col(SlaClock.metric) == metric]))
    rows, end = await pager.page(session, clocks, Order(SlaClock.metric, SlaClock.cycle))
    return pager.respond([cycle(row, now, calendar) for row in rows], end)


@router.get("/sla/timeline", response_model=Page[SegmentResponse], dependencies=[allow(Permission.READ_SLA)])
async def show_timeline(ticket: VisibleTicket, session: Session, now: Now, pager: Paged) -> Response:
    """The ledger as segments, in the order in which they began: why did this breach?

    A page is of so many rows of the ledger, and the row that ends a clock begins no segment: it may show fewer than `limit`.
    """
    calendar = (await configuration_of(session, ticket)).calendar
    rows, end = await pager.page(session, of_ticket(LedgerEntry, ticket), IN_ORDER)
    later = await next_of_each_clock(session, ticket, rows)
    return pager.respond(segments(rows, later, calendar, now), end)


@router.get("/context", response_model=ContextResponse, dependencies=[allow(Permission.READ_HISTORY)])
async def show_context(ticket: VisibleTicket, session: Session) -> Response:
    """What the agent should know: the reporter's earlier tickets of the same organizer, as far as the caller may see them."""
    whose = (col(Ticket.reporter_id) == ticket.reporter_id, col(Ticket.organizer_id).is_not_distinct_from(ticket.organizer_id))
    earlier = readable(viewer_of(session)).where(*whose, col(Ticket.created_at) < ticket.created_at)
    latest = earlier.order_by(col(Ticket.created_at).desc()).limit(EARLIER_SHOWN + 1).with_only_columns(*_EARLIER)
    rows = [EarlierTicketResponse.model_validate(row) for row in await session.execute(latest)]
    return respond(ContextResponse(earlier_tickets=rows[:EARLIER_SHOWN], has_more=len(rows) > EARLIER_SHOWN))


def _event(row: Event) -> EventResponse:
    actor = ActorResponse(kind=row.actor_kind, id=row.actor_id, name=row.actor_name)
    return EventResponse(id=row.id, sequence=row.sequence, at=row.at, actor=actor, kind=row.kind, changes=row.changes)
