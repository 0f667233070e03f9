"""What is said on a ticket. A note exists for nobody but those who work on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from fastapi import APIRouter, Response
from sqlmodel import col

from api.auth.caller import Caller
from api.http.pagination import Order, Page, Paged
from api.http.path import TicketId
from api.http.transaction import InUnit, Work, respond
from api.tickets.merged import GoesOn, require_home
from api.tickets.requests import Note, Reply
from api.tickets.responses import CommentView
from api.tickets.visibility import of_ticket, readable
from models.errors import Forbidden, NotFound
from models.tickets.aggregate import TicketAggregate
from models.tickets.comments import needs_follow_up, note, reply
from models.tickets.open import open_follow_up
from models.tickets.repository import lock, save
from models.tickets.tables import Comment, CommentKind, Ticket

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["conversation"])
Opening = Callable[[Work, int], AbstractAsyncContextManager[TicketAggregate]]


@router.post("/messages", status_code=201, response_model=CommentView)
async def write_reply(ticket_id: TicketId, body: Reply, unit: InUnit) -> Response:
    """A public reply, and with ``status`` a move after it. A reporter's reply reopens.

    On a ticket that is closed, or was resolved too long ago, his reply opens a linked follow-up; on one that was merged into another of
    his own, it is a reply on that one.
    """
    if body.status is not None and not unit.caller.is_staff:
        raise Forbidden("A reporter's reply moves the ticket by itself.")

    opening: Opening = Work.case
    while True:  # once more for each merge: a ticket is merged into another one once, so this has an end
        try:
            return await unit.write(partial(_say, opening=opening, ticket_id=ticket_id, body=body))
        except GoesOn as merged:
            opening, ticket_id = _there, merged.ticket_id


@router.get("/messages", response_model=Page[CommentView])
async def list_messages(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    """Oldest first: for a reporter the public replies, for the staff the notes as well."""
    kinds = list(CommentKind) if unit.caller.is_staff else [CommentKind.REPLY]
    return await _list(unit, ticket_id, kinds, pager)


@router.post("/notes", status_code=201, response_model=CommentView)
async def write_note(ticket_id: TicketId, body: Note, unit: InUnit) -> Response:
    _require_staff(unit.caller)

    async def work(work: Work) -> Response:
        async with work.case(ticket_id) as case:
            message = await note(case, body.body)
        return respond(_view(message), 201)

    return await unit.write(work)


@router.get("/notes", response_model=Page[CommentView])
async def list_notes(ticket_id: TicketId, unit: InUnit, pager: Paged) -> Response:
    _require_staff(unit.caller)
    return await _list(unit, ticket_id, [CommentKind.NOTE], pager)


@asynccontextmanager
async def _there(work: Work, ticket_id: int) -> AsyncIterator[TicketAggregate]:
    """The ticket that goes on, or the one that this was merged into meanwhile. If-Match was about the one that the client named."""
    case = await lock(work.session, readable(work.caller).where(col(Ticket.id) == ticket_id), work.change)
    yield case
    await save(case)


async def _say(work: Work, opening: Opening, ticket_id: int, body: Reply) -> Response:
    async with opening(work, ticket_id) as case:
        if work.change.by.is_reporter:
            await require_home(work, case.row)
        message = None if needs_follow_up(case) else await reply(case, body.body, body.status)
    if message is None:
        follow_up = await open_follow_up(work.session, case.row, body.body, work.change)
        return respond(_opening(follow_up, body.body, work), 201, {"Location": f"/v1/api/helpdesk/tickets/{follow_up.id}"})
    return respond(_view(message), 201)


def _require_staff(caller: Caller) -> None:
    """For a reporter there are no notes, not even ones that he may not read."""
    if not caller.is_staff:
        raise NotFound


async def _list(unit: InUnit, ticket_id: int, kinds: list[CommentKind], pager: Paged) -> Response:
    async with unit.ticket(ticket_id) as (session, ticket):
        messages = of_ticket(Comment, ticket).where(col(Comment.kind).in_(kinds))
        rows, end = await pager.page(session, messages, Order(Comment.created_at, Comment.id))
    return pager.respond([_view(row) for row in rows], end)


def _view(message: Comment) -> CommentView:
    author = {"kind": message.author_kind, "id": str(message.author_id) if message.author_id else None, "name": message.author_name}
    shown = message.model_dump(include={"id", "ticket_id", "kind", "body", "created_at"})
    return CommentView(**shown, author=author)


def _opening(follow_up: Ticket, body: str, work: Work) -> CommentView:
    """The message became the description of the follow-up."""
    by = work.change.by
    author = {"kind": by.kind.value, "id": str(by.id), "name": by.name}
    return CommentView(id=follow_up.id, ticket_id=follow_up.id, kind=CommentKind.REPLY, author=author, body=body, created_at=work.change.at)
