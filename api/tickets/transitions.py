"""A ticket on its way: its state, its owner, its escalation. Each verb is a POST, and takes an If-Match if the client wants to be sure."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Response

from api.http.path import TicketId
from api.http.transaction import InUnit, Work
from api.tickets.requests import Acknowledge, Assign, Escalate, Snooze, Why
from api.tickets.responses import TicketView
from models.audit import ActorKind
from models.errors import Conflict
from models.sla.escalate import acknowledge, escalate_by_hand
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import assign_automatically, assign_by_hand, assign_to_team, claim, require_work, unassign
from models.tickets.lifecycle import Transition
from models.tickets.snooze import snooze
from models.tickets.transitions import transition

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["process"])
_REPORTERS_TRANSITIONS = frozenset({Transition.RESOLVE, Transition.REOPEN, Transition.CLOSE})


@router.post("/assign", response_model=TicketView)
async def assign_ticket(ticket_id: TicketId, body: Assign, unit: InUnit) -> Response:
    """To an agent, to a team's queue, or automatically to the best available agent of its team."""

    async def change(case: TicketAggregate) -> None:
        if body.agent_id is not None:
            await assign_by_hand(case, body.agent_id)
        elif body.team_id is not None:
            await assign_to_team(case, body.team_id)
        else:
            require_work(case.row)
            await assign_automatically(case)

    return await _by_staff(unit, ticket_id, change)


@router.post("/claim", response_model=TicketView)
async def claim_ticket(ticket_id: TicketId, unit: InUnit) -> Response:
    """The caller, who must be an agent, takes a ticket that nobody has. Of two who claim it, one gets a 409."""

    async def change(case: TicketAggregate) -> None:
        by = case.change.by
        if by.kind is not ActorKind.AGENT or by.id is None:
            raise Conflict("not_an_agent", "The token's subject is no agent of this merchant.")
        await claim(case, by.id)

    return await _by_staff(unit, ticket_id, change)


@router.post("/unassign", response_model=TicketView)
async def unassign_ticket(ticket_id: TicketId, unit: InUnit) -> Response:
    return await _by_staff(unit, ticket_id, unassign)


@router.post("/escalate", response_model=TicketView)
async def escalate_ticket(ticket_id: TicketId, body: Escalate, unit: InUnit) -> Response:
    """Take the next rung, or the one of ``level``, now: with the reassignment that it stands for."""

    async def change(case: TicketAggregate) -> None:
        await escalate_by_hand(case, body.reason, body.level)

    return await _by_staff(unit, ticket_id, change)


@router.post("/acknowledge", response_model=TicketView)
async def acknowledge_escalation(ticket_id: TicketId, unit: InUnit, body: Acknowledge | None = None) -> Response:
    """Somebody cares for it: the later rungs of that metric's cycle are not taken any more."""

    async def change(case: TicketAggregate) -> None:
        acknowledge(case, body.level if body else None)

    return await _by_staff(unit, ticket_id, change)


@router.post("/snooze", response_model=TicketView)
async def snooze_ticket(ticket_id: TicketId, body: Snooze, unit: InUnit) -> Response:
    """A hold with an end: at `until`, within 366 days, the ticket is open again and who has it is told. Any other move ends it sooner."""

    async def change(case: TicketAggregate) -> None:
        snooze(case, body.until)

    return await _by_staff(unit, ticket_id, change)


def _add(wanted: Transition) -> None:
    async def transition_ticket(ticket_id: TicketId, unit: InUnit, body: Why | None = None) -> Response:
        async def change(case: TicketAggregate) -> None:
            await transition(case, wanted, body.reason if body else None)

        if wanted in _REPORTERS_TRANSITIONS:
            return await _change(unit, ticket_id, change)
        return await _by_staff(unit, ticket_id, change)

    router.post(f"/{wanted}", name=f"{wanted}_ticket", response_model=TicketView, summary=f"Move the ticket: {wanted}")(transition_ticket)


for each in Transition:
    _add(each)


async def _by_staff(unit: InUnit, ticket_id: int, change: Callable[[TicketAggregate], Awaitable[Any]]) -> Response:
    await unit.require_staff(ticket_id)
    return await _change(unit, ticket_id, change)


async def _change(unit: InUnit, ticket_id: int, change: Callable[[TicketAggregate], Awaitable[Any]]) -> Response:
    async def work(work: Work) -> Response:
        async with work.case(ticket_id) as case:
            await change(case)
        return await work.ticket(case)

    return await unit.write(work)
