"""Tickets: open, find, edit, remove."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response

from api.auth.caller import ADMINS, LEADING, Caller, StaffCaller
from api.http.pagination import Page, Pager
from api.http.path import TicketId
from api.http.transaction import InUnit, Work, respond, ticket_answer
from api.tickets.filters import TicketFilter, TicketQuery
from api.tickets.present import present
from api.tickets.requests import EditTicket, OpenTicket
from api.tickets.responses import CountView, TicketView
from models.audit import ActorKind
from models.errors import Conflict, Forbidden
from models.people.directory import reporter_with_address, reporter_with_token
from models.people.tables import Reporter
from models.tickets.deletion import delete, restore
from models.tickets.edit import edit
from models.tickets.open import NewTicket, open_ticket

router = APIRouter(prefix="/tickets", tags=["tickets"])
COUNTED_AT_MOST = 10_000


@router.post("", status_code=201, response_model=TicketView)
async def open_one(body: OpenTicket, unit: InUnit) -> Response:
    """Open a ticket. An agent may name the reporter for whom he opens it; the answer is there before the engine knows of it."""
    _may_open(unit.caller, body)

    async def work(work: Work) -> Response:
        reporter = await _reporter(work, body)
        new = NewTicket(**body.model_dump(exclude={"reporter"}))
        ticket = await open_ticket(work.session, new, reporter, work.change)
        return await ticket_answer(work.session, work.caller, ticket, 201)

    return await unit.write(work)


@router.get("", response_model=Page[TicketView])
async def list_some(query: Annotated[TicketQuery, Query()], unit: InUnit, request: Request) -> Response:
    """The caller's tickets, a page at a time. Filters take several values, separated by commas."""
    pager = Pager(request, unit.caller, query.limit, query.after)
    async with unit.reading() as session:
        rows, end = await pager.page(session, query.apply(unit.caller), query.order)
        views = await present(session, unit.caller, rows)
    return pager.respond(views, end)


@router.get("/count", response_model=CountView)
async def count(query: Annotated[TicketFilter, Query()], unit: InUnit) -> Response:
    """How many tickets the same filters find, counted up to 10,000."""
    found = query.apply(unit.caller).with_only_columns(sa.literal(1)).limit(COUNTED_AT_MOST + 1).subquery()
    async with unit.reading() as session:
        number = (await session.execute(sa.select(sa.func.count()).select_from(found))).scalar_one()
    return respond(CountView(count=min(number, COUNTED_AT_MOST), capped=number > COUNTED_AT_MOST))


@router.get("/{ticket_id}", response_model=TicketView)
async def get_one(ticket_id: TicketId, unit: InUnit) -> Response:
    async with unit.ticket(ticket_id) as (session, ticket):
        return await ticket_answer(session, unit.caller, ticket)


@router.patch("/{ticket_id}", response_model=TicketView)
async def edit_one(ticket_id: TicketId, body: EditTicket, unit: InUnit) -> Response:
    """Edit by JSON merge patch; If-Match is needed. A change of priority or category re-times the clocks: what was spent stays spent."""
    await unit.require_staff(ticket_id)
    unit.require_if_match()
    if "organizer_id" in body.model_fields_set:
        _may_name(unit.caller, body.organizer_id)

    async def work(work: Work) -> Response:
        async with work.case(ticket_id) as case:
            await edit(case, body.changes(case.row.custom_fields))
        return await work.ticket(case)

    return await unit.write(work)


@router.delete("/{ticket_id}", status_code=204)
async def delete_one(ticket_id: TicketId, unit: InUnit) -> Response:
    """Soft delete, by a lead or an admin: the ticket disappears, its workflow ends; an admin can restore it."""
    await unit.require_staff(ticket_id)
    unit.caller.require(LEADING)

    async def work(work: Work) -> Response:
        async with work.case(ticket_id) as case:
            delete(case)
        return Response(status_code=204)

    return await unit.write(work)


@router.post("/{ticket_id}/restore", response_model=TicketView)
async def restore_one(ticket_id: TicketId, unit: InUnit, _staff: StaffCaller) -> Response:
    unit.caller.require(ADMINS)

    async def work(work: Work) -> Response:
        async with work.case_even_deleted(ticket_id) as case:
            restore(case)
        return await work.ticket(case)

    return await unit.write(work)


def _may_open(caller: Caller, body: OpenTicket) -> None:
    if body.reporter is not None and not caller.is_staff:
        raise Forbidden("A reporter opens tickets for himself.")
    _may_name(caller, body.organizer_id)


def _may_name(caller: Caller, organizer_id: int | None) -> None:
    """A token that is good for certain organizers makes tickets of theirs only; a reporter's may be of none."""
    organizers = caller.claims.organizer_ids
    if organizers is None:
        return
    if organizer_id is None and caller.is_staff:
        raise Conflict("organizer_required", "The token is good for certain organizers: name one.")
    if organizer_id is not None and organizer_id not in organizers:
        raise Forbidden("The token is not good for this organizer.")


async def _reporter(work: Work, body: OpenTicket) -> Reporter:
    claims, by = work.caller.claims, work.change.by
    if body.reporter is not None:
        return await reporter_with_address(work.session, body.reporter.name, body.reporter.email)
    if by.kind is ActorKind.REPORTER:
        return await work.session.get_one(Reporter, (work.session.merchant_id, by.id))
    return await reporter_with_token(work.session, claims.sub, claims.name, claims.email)
