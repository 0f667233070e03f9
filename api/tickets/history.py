"""What happened to a ticket and what is promised on it: for those who work on it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlmodel import col

from api.http.pagination import Order, Page, Paged
from api.http.path import TicketId
from api.http.transaction import InUnit, respond
from api.notification_views import notification_views
from api.tickets.responses import ContextView, CycleView, EscalationView, EventView, NotificationView, SegmentView
from api.tickets.timeline import IN_ORDER, next_of_each_clock, segments
from api.tickets.visibility import of_ticket
from models.notifications.tables import Notification
from models.sla.calendar import Calendar
from models.sla.clock import settle, used
from models.sla.policy import Metric
from models.sla.rulebook import configuration_of
from models.sla.tables import Escalation, LedgerEntry, SlaClock
from models.tickets.summary import clock_of
from models.tickets.tables import Event

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["history"])


@router.get("/events", response_model=Page[EventView])
async def list_events(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    """The audit, in order and without gaps."""
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (session, ticket):
        rows, end = await pager.page(session, of_ticket(Event, ticket), Order(Event.sequence, Event.id))
    return pager.respond([_event(row) for row in rows], end)


@router.get("/escalations", response_model=Page[EscalationView])
async def list_escalations(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (session, ticket):
        rows, end = await pager.page(session, of_ticket(Escalation, ticket), Order(Escalation.taken_at, Escalation.id))
    return pager.respond([EscalationView.model_validate(row) for row in rows], end)


@router.get("/notifications", response_model=Page[NotificationView])
async def list_ticket_notifications(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    """Every letter about this ticket, with each try to deliver it."""
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (session, ticket):
        rows, end = await pager.page(session, of_ticket(Notification, ticket), Order(Notification.created_at, Notification.id))
        views = await notification_views(session, rows)
    return pager.respond(views, end)


@router.get("/sla", response_model=Page[CycleView])
async def show_sla(
    ticket_id: TicketId,
    unit: InUnit,
    pager: Paged,
    metric: Annotated[Metric | None, Query(description="only the cycles of this one")] = None,
) -> Response:
    """Current and past cycles of each metric, as of now, in their order."""
    await unit.require_staff(ticket_id)
    now = unit.context.now()
    async with unit.ticket(ticket_id) as (session, ticket):
        calendar = (await configuration_of(session, ticket)).calendar
        clocks = of_ticket(SlaClock, ticket).where(*([] if metric is None else [col(SlaClock.metric) == metric]))
        rows, end = await pager.page(session, clocks, Order(SlaClock.metric, SlaClock.cycle))
    return pager.respond([_cycle(row, now, calendar) for row in rows], end)


@router.get("/sla/timeline", response_model=Page[SegmentView])
async def show_timeline(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    """The ledger as segments, in the order in which they began: why did this breach?

    A page is of so many rows of the ledger, and the row that ends a clock begins no segment: it may show fewer than `limit`.
    """
    await unit.require_staff(ticket_id)
    now = unit.context.now()
    async with unit.ticket(ticket_id) as (session, ticket):
        calendar = (await configuration_of(session, ticket)).calendar
        rows, end = await pager.page(session, of_ticket(LedgerEntry, ticket), IN_ORDER)
        later = await next_of_each_clock(session, ticket, rows)
    return pager.respond(segments(rows, later, calendar, now), end)


@router.get("/context", response_model=ContextView)
async def show_context(ticket_id: TicketId, unit: InUnit) -> Response:
    """What the agent should know: the reporter's earlier tickets."""
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (_, ticket):
        return respond(ContextView(context=ticket.context))


def _event(row: Event) -> EventView:
    actor = {"kind": row.actor_kind, "id": str(row.actor_id) if row.actor_id else None, "name": row.actor_name}
    return EventView(id=row.id, sequence=row.sequence, at=row.at, actor=actor, kind=row.kind, changes=row.changes)


def _cycle(row: SlaClock, now: datetime, calendar: Calendar | None) -> CycleView:
    clock = settle(clock_of(row), now)  # a breach that nobody has acted on yet is one
    target = int(clock.target.total_seconds())
    elapsed = int((used(clock, now, calendar) if calendar else clock.spent).total_seconds())
    return CycleView(
        **clock.model_dump(include={"metric", "cycle", "started_at", "due_at", "paused_at", "breached_at", "stopped_at"}),
        status=clock.status,
        policy_id=row.policy_id,
        policy_version=row.policy_version,
        target_seconds=target,
        elapsed_seconds=elapsed,
        remaining_seconds=target - elapsed,
    )
