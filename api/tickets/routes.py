"""Tickets: open, find, edit, remove."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from pydantic.alias_generators import to_camel

from api.auth.caller import Caller, allow
from api.http.pagination import Page, Pager
from api.http.responses import respond
from api.http.transaction import CurrentCaller, CurrentTransaction, Session, TransactionRoute
from api.tickets.filters import TicketFilter, TicketQuery
from api.tickets.locking import LockedEvenDeleted, LockedTicket, LockedToEdit, VisibleTicket, saved
from api.tickets.requests import EditTicket, OpenTicket
from api.tickets.responses import (
    AnyTicket,
    CountResponse,
    ReporterTicketInList,
    TicketInList,
    TicketResponse,
    present,
    present_in_list,
    ticket_response,
)
from models.audit import Change
from models.db.session import TenantSession
from models.errors import Conflict, Forbidden
from models.people.directory import reporter_with_address, reporter_with_token
from models.people.permissions import Permission
from models.people.tables import Reporter
from models.tickets.deletion import delete, restore
from models.tickets.edit import edit
from models.tickets.open import NewTicket
from models.tickets.open import open_ticket as open_new
from models.tickets.repository import save

router = APIRouter(prefix="/tickets", tags=["tickets"], route_class=TransactionRoute)
COUNTED_AT_MOST = 10_000
_OF_STAFF = ("reporter", "tags", "custom_fields", "channel")
_UNDECIDED = OpenTicket(subject="-", description="-")


@router.post("", status_code=201, response_model=AnyTicket, dependencies=[allow(Permission.OPEN_TICKET)])
async def open_ticket(body: OpenTicket, transaction: CurrentTransaction) -> Response:
    """Open a ticket. The response does not wait for the ticket's workflow.

    Staff may name the reporter for whom they open it. A reporter decides on subject, description, category, and on a priority up to the
    merchant's `reporterPriorityLimit`.
    """
    session, caller = transaction.session, transaction.caller
    _require_opener(caller, body)
    change = await transaction.change()
    reporter = await _reporter(session, caller, body, change)
    ticket = await open_new(session, NewTicket(**body.model_dump(exclude={"reporter"}, exclude_unset=True)), reporter, change)
    return await ticket_response(session, ticket, 201)


@router.get("", response_model=Page[TicketInList] | Page[ReporterTicketInList], dependencies=[allow(Permission.READ_TICKETS)])
async def list_tickets(query: Annotated[TicketQuery, Query()], session: Session, caller: CurrentCaller, request: Request) -> Response:
    """The caller's tickets, a page at a time. Filters take several values, separated by commas.

    Without ``include=description`` no ticket has its description: it may have 100,000 characters.
    """
    pager = Pager(request, caller, query.limit, query.after)
    rows, end = await pager.page(session, await query.apply(session, caller.viewer), query.order(caller.viewer), query.size)
    return pager.respond(await (present if query.with_description else present_in_list)(session, rows), end)


@router.get("/count", response_model=CountResponse, dependencies=[allow(Permission.READ_TICKETS)])
async def count_tickets(query: Annotated[TicketFilter, Query()], session: Session, caller: CurrentCaller) -> Response:
    """How many tickets the same filters find, counted up to 10,000."""
    found = (await query.apply(session, caller.viewer)).with_only_columns(sa.literal(1)).limit(COUNTED_AT_MOST + 1).subquery()
    number = (await session.execute(sa.select(sa.func.count()).select_from(found))).scalar_one()
    return respond(CountResponse(count=min(number, COUNTED_AT_MOST), capped=number > COUNTED_AT_MOST))


@router.get("/{ticket_id}", response_model=AnyTicket, dependencies=[allow(Permission.READ_TICKETS)])
async def get_ticket(ticket: VisibleTicket, session: Session) -> Response:
    """One ticket, with its ETag."""
    return await ticket_response(session, ticket)


@router.patch("/{ticket_id}", response_model=TicketResponse, dependencies=[allow(Permission.EDIT_TICKET)])
async def edit_ticket(ticket: LockedToEdit, body: EditTicket, caller: CurrentCaller) -> Response:
    """Edit by JSON merge patch; If-Match is needed. A change of priority or category re-times the clocks: what was spent stays spent."""
    if "organizer_id" in body.model_fields_set:
        _require_organizer(caller, body.organizer_id)
    await edit(ticket, body.changes(ticket.row.custom_fields))
    return await saved(ticket)


@router.delete("/{ticket_id}", status_code=204, dependencies=[allow(Permission.DELETE_TICKET)])
async def delete_ticket(ticket: LockedTicket) -> Response:
    """Soft delete, by a lead or an admin: the ticket disappears, its workflow ends; an admin can restore it."""
    delete(ticket)
    await save(ticket)
    return Response(status_code=204)


@router.post("/{ticket_id}/restore", response_model=TicketResponse, dependencies=[allow(Permission.RESTORE_TICKET)])
async def restore_ticket(ticket: LockedEvenDeleted) -> Response:
    """Bring a deleted ticket back as it was: its clocks go on."""
    await restore(ticket)
    return await saved(ticket)


def _require_opener(caller: Caller, body: OpenTicket) -> None:
    """What decides a ticket's SLA, or whose it is, is the staff's. What says no more than the default does is no decision."""
    if not caller.viewer.is_staff:
        named = [to_camel(name) for name in _OF_STAFF if getattr(body, name) != getattr(_UNDECIDED, name)]
        if named:
            raise Forbidden(f"Only the staff decides on {', '.join(named)}: leave it out.")
    _require_organizer(caller, body.organizer_id)


def _require_organizer(caller: Caller, organizer_id: int | None) -> None:
    """Staff of all organizers may name any. Others make tickets of the organizers that their token names; a reporter's may be of none."""
    organizers, is_staff = caller.claims.organizer_ids, caller.viewer.is_staff
    if organizers is None and is_staff:
        return
    if organizer_id is None and is_staff:
        raise Conflict("organizer_required", "The token is good for certain organizers: name one.")
    if organizer_id is not None and organizer_id not in (organizers or ()):
        raise Forbidden("The token is not good for this organizer.")


async def _reporter(session: TenantSession, caller: Caller, body: OpenTicket, change: Change) -> Reporter:
    if body.reporter is not None:
        return await reporter_with_address(session, body.reporter.name, body.reporter.email)
    if change.by.is_reporter:
        return await session.get_one(Reporter, (session.merchant_id, change.by.id))
    return await reporter_with_token(session, caller.identity)
