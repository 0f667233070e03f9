"""A ticket on its way: its status, its owner, its escalation. Each verb is a POST, and takes an If-Match if the client wants to be sure."""

from fastapi import APIRouter, Response

from api.auth.caller import allow
from api.http.headers import IfMatch
from api.http.path import TicketId
from api.http.transaction import CurrentTransaction, TransactionRoute
from api.tickets.locking import LockedTicket, lock_two, saved
from api.tickets.requests import Acknowledge, Assign, Because, Escalate, Merge, Snooze
from api.tickets.responses import AnyTicket, TicketResponse
from models.audit import ActorKind
from models.errors import Conflict
from models.people.permissions import Permission
from models.sla.escalate import acknowledge, escalate_by_hand
from models.tickets.assign import assign_automatically, assign_by_hand, assign_to_team, claim, require_work, unassign
from models.tickets.lifecycle import Transition
from models.tickets.merge import merge
from models.tickets.snooze import snooze
from models.tickets.transitions import transition

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["tickets"], route_class=TransactionRoute)


@router.post("/assign", response_model=TicketResponse, dependencies=[allow(Permission.ASSIGN)])
async def assign_ticket(ticket: LockedTicket, body: Assign) -> Response:
    """Assign to an agent, to a team's queue, or automatically to the best available agent of its team."""
    if body.agent_id is not None:
        await assign_by_hand(ticket, body.agent_id)
    elif body.team_id is not None:
        await assign_to_team(ticket, body.team_id)
    else:
        require_work(ticket.row)
        await assign_automatically(ticket)
    return await saved(ticket)


@router.post("/claim", response_model=TicketResponse, dependencies=[allow(Permission.CLAIM)])
async def claim_ticket(ticket: LockedTicket) -> Response:
    """The caller, who must be an agent, takes a ticket that has no assignee. Of two who claim it, one gets a 409."""
    by = ticket.change.by
    if by.kind is not ActorKind.AGENT or by.id is None:
        raise Conflict("not_an_agent", "The token's subject is no agent of this merchant.")
    await claim(ticket, by.id)
    return await saved(ticket)


@router.post("/unassign", response_model=TicketResponse, dependencies=[allow(Permission.ASSIGN)])
async def unassign_ticket(ticket: LockedTicket) -> Response:
    """Take the ticket from its assignee, back into the team's queue."""
    await unassign(ticket)
    return await saved(ticket)


@router.post("/escalate", response_model=TicketResponse, dependencies=[allow(Permission.ESCALATE)])
async def escalate_ticket(ticket: LockedTicket, body: Escalate) -> Response:
    """Take the next rung, or the one of `level`, now: with the reassignment that it stands for."""
    await escalate_by_hand(ticket, body.reason, body.level)
    return await saved(ticket)


@router.post("/acknowledge", response_model=TicketResponse, dependencies=[allow(Permission.ACKNOWLEDGE)])
async def acknowledge_escalation(ticket: LockedTicket, body: Acknowledge | None = None) -> Response:
    """Take care of an escalation: the later rungs of that metric's cycle are not taken any more."""
    acknowledge(ticket, body.level if body else None)
    return await saved(ticket)


@router.post("/pending", response_model=TicketResponse, dependencies=[allow(Permission.PENDING)])
async def mark_ticket_pending(ticket: LockedTicket, body: Because | None = None) -> Response:
    """Wait for the reporter."""
    await transition(ticket, Transition.PENDING, body.reason if body else None)
    return await saved(ticket)


@router.post("/hold", response_model=TicketResponse, dependencies=[allow(Permission.HOLD)])
async def hold_ticket(ticket: LockedTicket, body: Because | None = None) -> Response:
    """Wait for a third party."""
    await transition(ticket, Transition.HOLD, body.reason if body else None)
    return await saved(ticket)


@router.post("/resume", response_model=TicketResponse, dependencies=[allow(Permission.RESUME)])
async def resume_ticket(ticket: LockedTicket, body: Because | None = None) -> Response:
    """Work on a ticket that waited."""
    await transition(ticket, Transition.RESUME, body.reason if body else None)
    return await saved(ticket)


@router.post("/resolve", response_model=AnyTicket, dependencies=[allow(Permission.RESOLVE)])
async def resolve_ticket(ticket: LockedTicket, body: Because | None = None) -> Response:
    """Resolve the ticket. Reporters may resolve their own."""
    await transition(ticket, Transition.RESOLVE, body.reason if body else None)
    return await saved(ticket)


@router.post("/reopen", response_model=AnyTicket, dependencies=[allow(Permission.REOPEN)])
async def reopen_ticket(ticket: LockedTicket, body: Because | None = None) -> Response:
    """Reopen a resolved ticket. Reporters may reopen their own, within the merchant's window."""
    await transition(ticket, Transition.REOPEN, body.reason if body else None)
    return await saved(ticket)


@router.post("/close", response_model=AnyTicket, dependencies=[allow(Permission.CLOSE)])
async def close_ticket(ticket: LockedTicket, body: Because | None = None) -> Response:
    """Close the ticket. Reporters may close their own."""
    await transition(ticket, Transition.CLOSE, body.reason if body else None)
    return await saved(ticket)


@router.post("/snooze", response_model=TicketResponse, dependencies=[allow(Permission.SNOOZE)])
async def snooze_ticket(ticket: LockedTicket, body: Snooze) -> Response:
    """Hold until `until`, within 366 days: then the ticket is open again and its assignee is notified. Any other transition ends it."""
    snooze(ticket, body.until)
    return await saved(ticket)


@router.post("/merge", response_model=TicketResponse, dependencies=[allow(Permission.MERGE)])
async def merge_ticket(ticket_id: TicketId, body: Merge, transaction: CurrentTransaction, if_match: IfMatch = None) -> Response:
    """The ticket is closed and points to the other one, whose history says so.

    Messages stay where they are; the reporter's next one goes on there, if that ticket is their own too. If-Match is about the ticket
    that is merged, which is the response.
    """
    source, target = await lock_two(transaction, ticket_id, body.into_ticket_id, if_match)
    await merge(source, target)
    return await saved(source, target)
