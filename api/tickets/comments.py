"""What is said on a ticket: public replies, and notes that only those who work on it see."""

from fastapi import APIRouter, Response
from sqlmodel import col

from api.auth.caller import allow
from api.http.pagination import Order, Page, Paged, Pager, bytes_of
from api.http.responses import location, respond
from api.http.transaction import ContinueOn, CurrentCaller, Session, TransactionRoute, viewer_of
from api.tickets.locking import LockedTicket, VisibleTicket
from api.tickets.requests import Note, Reply
from api.tickets.responses import ActorResponse, CommentResponse
from models.db.session import TenantSession
from models.errors import Forbidden
from models.people.permissions import Permission
from models.tickets.aggregate import TicketAggregate
from models.tickets.comments import needs_follow_up, note, reply
from models.tickets.open import open_follow_up
from models.tickets.repository import save
from models.tickets.tables import Comment, CommentKind, Ticket
from models.tickets.visibility import of_ticket, readable

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["comments"], route_class=TransactionRoute)


@router.post("/messages", status_code=201, response_model=CommentResponse, dependencies=[allow(Permission.REPLY)])
async def write_reply(ticket: LockedTicket, body: Reply) -> Response:
    """A public reply, and with `status` a transition after it. A reporter's reply reopens.

    On a ticket that is closed, or was resolved too long ago, a reporter's reply opens a linked follow-up; on one that was merged into
    another of their own, it is a reply on that one.
    """
    if ticket.change.by.is_reporter:
        if body.status is not None:
            raise Forbidden("A reporter's reply moves the ticket by itself.")
        await _continue_where_merged(ticket)
    if needs_follow_up(ticket):
        return await _follow_up(ticket, body.body)
    comment = await reply(ticket, body.body, body.status)
    await save(ticket)
    return respond(_shown(comment), 201)


@router.get("/messages", response_model=Page[CommentResponse], dependencies=[allow(Permission.READ_MESSAGES)])
async def list_messages(ticket: VisibleTicket, session: Session, caller: CurrentCaller, pager: Paged) -> Response:
    """Oldest first: for a reporter the public replies, for the staff the notes as well."""
    kinds = list(CommentKind) if caller.viewer.is_staff else [CommentKind.REPLY]
    return await _list(session, ticket, kinds, pager)


@router.post("/notes", status_code=201, response_model=CommentResponse, dependencies=[allow(Permission.WRITE_NOTE)])
async def write_note(ticket: LockedTicket, body: Note) -> Response:
    """An internal note. For reporters there are none, not even ones that they may not read."""
    comment = await note(ticket, body.body)
    await save(ticket)
    return respond(_shown(comment), 201)


@router.get("/notes", response_model=Page[CommentResponse], dependencies=[allow(Permission.READ_NOTES)])
async def list_notes(ticket: VisibleTicket, session: Session, pager: Paged) -> Response:
    """Oldest first."""
    return await _list(session, ticket, [CommentKind.NOTE], pager)


async def _continue_where_merged(ticket: TicketAggregate) -> None:
    """Raises: ContinueOn: the ticket was merged into another one of the reporter's own."""
    home = ticket.row.merged_into_id
    if home is not None:
        own = readable(viewer_of(ticket.session)).where(col(Ticket.id) == home).with_only_columns(col(Ticket.id))
        if (await ticket.session.execute(own)).first() is not None:
            raise ContinueOn(home)


async def _follow_up(ticket: TicketAggregate, body: str) -> Response:
    """The reply becomes the description of a new ticket; the response shows it as the reply that it was."""
    opened, by = await open_follow_up(ticket.session, ticket.row, body, ticket.change), ticket.change.by
    author, at = ActorResponse(kind=by.kind, id=by.id, name=by.name), ticket.change.at
    shown = CommentResponse(id=opened.id, ticket_id=opened.id, kind=CommentKind.REPLY, author=author, body=body, created_at=at)
    return respond(shown, 201, location(f"/tickets/{opened.id}"))


async def _list(session: TenantSession, ticket: Ticket, kinds: list[CommentKind], pager: Pager) -> Response:
    comments = of_ticket(Comment, ticket).where(col(Comment.kind).in_(kinds))
    rows, end = await pager.page(session, comments, Order(Comment.created_at, Comment.id), bytes_of(Comment.body))
    return pager.respond([_shown(row) for row in rows], end)


def _shown(comment: Comment) -> CommentResponse:
    author = ActorResponse(kind=comment.author_kind, id=comment.author_id, name=comment.author_name)
    return CommentResponse(**comment.model_dump(include={"id", "ticket_id", "kind", "body", "created_at"}), author=author)
