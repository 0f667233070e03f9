"""What happened to a ticket and what is promised on it: for those who work on it."""

from datetime import datetime

from fastapi import APIRouter, Response

from api.cursor import Order, Page, Paged
from api.letters import letter_views
from api.reading import of_ticket
from api.routes.path import TicketId
from api.timeline import segments
from api.unit import InUnit, answer
from api.views import (
    ContextView,
    CyclesView,
    CycleView,
    EscalationView,
    EventView,
    NotificationView,
    SegmentsView,
)
from models.operations.case import clock_of
from models.operations.rulebook import rules_of
from models.policy.calendar import Calendar
from models.policy.clock import settle, used
from models.tables.outgoing import Notification
from models.tables.sla import Escalation, LedgerEntry, SlaClock
from models.tables.ticket import Event

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["history"])


@router.get("/events", response_model=Page[EventView])
async def list_events(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    """The audit, in order and without gaps."""
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (session, ticket):
        rows, end = await pager.page(session, of_ticket(Event, ticket), Order(Event.sequence, Event.id))
    return pager.answer([_event(row) for row in rows], end)


@router.get("/escalations", response_model=Page[EscalationView])
async def list_escalations(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (session, ticket):
        rows, end = await pager.page(session, of_ticket(Escalation, ticket), Order(Escalation.taken_at, Escalation.id))
    return pager.answer([EscalationView.model_validate(row) for row in rows], end)


@router.get("/notifications", response_model=Page[NotificationView])
async def list_notifications(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    """Every letter about this ticket, with each try to deliver it."""
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (session, ticket):
        rows, end = await pager.page(session, of_ticket(Notification, ticket), Order(Notification.created_at, Notification.id))
        views = await letter_views(session, rows)
    return pager.answer(views, end)


@router.get("/sla", response_model=CyclesView)
async def show_sla(ticket_id: TicketId, unit: InUnit) -> Response:
    """Current and past cycles of each metric, as of now."""
    await unit.require_staff(ticket_id)
    now = unit.context.now()
    async with unit.ticket(ticket_id) as (session, ticket):
        calendar = (await rules_of(session, ticket)).calendar
        rows = (await session.execute(of_ticket(SlaClock, ticket))).scalars().all()
    cycles = [_cycle(row, now, calendar) for row in rows]
    return answer(CyclesView(data=sorted(cycles, key=lambda cycle: (cycle.metric, cycle.cycle))))


@router.get("/sla/timeline", response_model=SegmentsView)
async def show_timeline(ticket_id: TicketId, unit: InUnit) -> Response:
    """The ledger as segments: why did this breach?"""
    await unit.require_staff(ticket_id)
    now = unit.context.now()
    async with unit.ticket(ticket_id) as (session, ticket):
        calendar = (await rules_of(session, ticket)).calendar
        entries = (await session.execute(of_ticket(LedgerEntry, ticket))).scalars().all()
    return answer(SegmentsView(data=segments(entries, calendar, now)))


@router.get("/context", response_model=ContextView)
async def show_context(ticket_id: TicketId, unit: InUnit) -> Response:
    """What the agent should know: the reporter's earlier tickets."""
    await unit.require_staff(ticket_id)
    async with unit.ticket(ticket_id) as (_, ticket):
        return answer(ContextView(context=ticket.context))


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
        policy_version=row.policy_version,
        target_seconds=target,
        elapsed_seconds=elapsed,
        remaining_seconds=target - elapsed,
    )
