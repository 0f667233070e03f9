"""A ticket for a route: to be read, or locked to be changed. ``lock -> verb -> save`` is the one way to change it."""

from typing import Annotated

from fastapi import Depends, Request, Response
from sqlmodel import col

from api.http.headers import IfMatch, NeededIfMatch, etag, matches
from api.http.path import TicketIdText, known
from api.http.transaction import Transaction, transaction_of, viewer_of
from api.tickets.responses import present_one, ticket_response
from models.db.prepared import Asked
from models.errors import PreconditionFailed
from models.people.tables import Reporter
from models.tickets.aggregate import TicketAggregate
from models.tickets.repository import lock, lock_both, save
from models.tickets.tables import Ticket
from models.tickets.visibility import find, held, held_even_deleted, readable_with_deleted, version_for


async def saved(ticket: TicketAggregate, *others: TicketAggregate) -> Response:
    """Save the tickets; the response is the first of them, with its ETag."""
    await save(ticket, *others)
    return await ticket_response(ticket.session, ticket.row)


async def _visible(request: Request, ticket_id: TicketIdText) -> Ticket:
    """Raises: NotFound: there is none, or none that the caller may see."""
    transaction = transaction_of(request)
    return await find(transaction.session, transaction.caller.viewer, known(ticket_id))


async def _locked(request: Request, ticket_id: TicketIdText, if_match: IfMatch = None) -> TicketAggregate:
    """Raises: NotFound: none that the caller may see. PreconditionFailed: If-Match is not its version."""
    transaction = transaction_of(request)
    viewer = transaction.caller.viewer
    if transaction.continued_on is not None:  # If-Match was about the ticket that the client named
        return await _lock(transaction, held(viewer, transaction.continued_on), None)
    return await _lock(transaction, held(viewer, known(ticket_id)), if_match)


async def _locked_even_deleted(request: Request, ticket_id: TicketIdText, if_match: IfMatch = None) -> TicketAggregate:
    transaction = transaction_of(request)
    return await _lock(transaction, held_even_deleted(transaction.caller.viewer, known(ticket_id)), if_match)


async def _locked_to_edit(request: Request, ticket_id: TicketIdText, if_match: NeededIfMatch) -> TicketAggregate:
    """Raises: PreconditionRequired: without If-Match."""
    return await _locked(request, ticket_id, if_match)


async def _lock(transaction: Transaction, asked: Asked[Ticket, Reporter], if_match: str | None) -> TicketAggregate:
    ticket = await lock(transaction.session, asked, await transaction.change())
    await _require_match(ticket, if_match)
    return ticket


async def lock_two(transaction: Transaction, ticket_id: int, other_id: int, if_match: str | None) -> list[TicketAggregate]:
    """Lock two tickets at once. If-Match is about the first; of the second an admin finds a deleted one too.

    Raises:
        NotFound: one of them is not there for the caller. PreconditionFailed: If-Match is not the version of the first.
    """
    viewer, is_there = transaction.caller.viewer, col(Ticket.deleted_at).is_(None)
    findable = is_there | (col(Ticket.id) == other_id) if viewer.sees_deleted else is_there
    tickets = readable_with_deleted(viewer).where(findable)
    both = await lock_both(transaction.session, tickets, (ticket_id, other_id), await transaction.change())
    await _require_match(both[0], if_match)
    return both


async def _require_match(ticket: TicketAggregate, if_match: str | None) -> None:
    if not matches(if_match, etag(version_for(viewer_of(ticket.session), ticket.row))):
        current = await present_one(ticket.session, ticket.row)
        raise PreconditionFailed(current=current.model_dump(mode="json", by_alias=True))


VisibleTicket = Annotated[Ticket, Depends(_visible)]
LockedTicket = Annotated[TicketAggregate, Depends(_locked)]
LockedEvenDeleted = Annotated[TicketAggregate, Depends(_locked_even_deleted)]
LockedToEdit = Annotated[TicketAggregate, Depends(_locked_to_edit)]
