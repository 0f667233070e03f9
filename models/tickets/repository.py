"""The one way to change a ticket: lock it, let verbs change it, save it; all in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.db.session import TenantSession, locked
from models.errors import NotFound
from models.notifications.notify import tell_what_no_rung_told
from models.outbox import post as outbox
from models.sla.rulebook import configuration_of
from models.sla.tables import Escalation, SlaClock
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import assign_automatically, hold_team, working
from models.tickets.messages import TicketFacts
from models.tickets.tables import Ticket

PICKED_UP_AT_ONCE = 20
_T = TypeVar("_T", SlaClock, Escalation)


def _rows_of(table: type[_T]) -> Select[_T]:
    these = col(table.ticket_id).in_(sa.bindparam("tickets", expanding=True))
    return sa.select(table).where(col(table.merchant_id) == sa.bindparam("merchant"), these)


# Made once: these stand in the way of every change.
_CYCLE = (col(SlaClock.ticket_id), col(SlaClock.metric))
_CLOCKS = _rows_of(SlaClock).ext(distinct_on(*_CYCLE)).order_by(*_CYCLE, col(SlaClock.cycle).desc())
_ESCALATIONS = _rows_of(Escalation).order_by(col(Escalation.id))


async def save(*tickets: TicketAggregate) -> None:
    """Write the cases; where the facts changed, the ticket's workflow hears of it through the outbox."""
    for ticket in tickets:
        _post_facts(ticket)
    await _write(*tickets)


def _post_facts(ticket: TicketAggregate) -> None:
    facts = ticket.summarise()
    if ticket.has_news:
        outbox.post_facts(ticket.session, facts, ticket.change)


async def answer(ticket: TicketAggregate) -> TicketFacts:
    """Write the case for its own workflow, which asked for the change and takes the facts as the answer: no signal is owed."""
    facts = ticket.summarise()
    await _write(ticket)
    return facts


async def _write(*tickets: TicketAggregate) -> None:
    """All of them first: who picks up what waits may find one of these tickets, for its lock is our own, and opens its case anew."""
    for ticket in tickets:
        await tell_what_no_rung_told(ticket)
    await tickets[0].session.write()
    for ticket in tickets:
        if ticket.freed_team_id is not None:
            await pick_up_waiting(ticket.session, ticket.freed_team_id, ticket.change)


async def pick_up_waiting(session: TenantSession, team_id: int, change: Change) -> None:
    """Somebody has room: give him what waits in the team's queue, the most urgent and then the oldest first.

    A ticket that is being changed right now is skipped: the next who has room, or the reconciliation, finds it again.
    """
    await hold_team(session, team_id)
    for row in await _waiting(session, team_id):
        await session.reserve_ids()
        ticket = await _case(session, row, change.model_copy(update={"by": SYSTEM}))
        if await assign_automatically(ticket) is None:
            return
        await save(ticket)


async def _waiting(session: TenantSession, team_id: int) -> Sequence[Ticket]:
    queue = sa.select(Ticket).where(col(Ticket.team_id) == team_id, col(Ticket.is_queued), working())
    first = queue.order_by(col(Ticket.urgency).desc(), col(Ticket.created_at), col(Ticket.id)).limit(PICKED_UP_AT_ONCE)
    return (await session.execute(locked(first, skip_locked=True))).scalars().all()


async def lock(session: TenantSession, tickets: Select[Ticket], change: Change) -> TicketAggregate:
    """Lock the one ticket that ``tickets`` selects.

    Raises:
        NotFound: ``tickets`` selects nothing.
    """
    ticket = (await session.execute(locked(tickets, of=Ticket))).scalar_one_or_none()
    if ticket is None:
        raise NotFound
    return await _case(session, ticket, change)


async def lock_both(session: TenantSession, tickets: Select[Ticket], ids: tuple[int, int], change: Change) -> list[TicketAggregate]:
    """Lock two of ``tickets`` at once; returned in the order of ``ids``.

    Raises:
        NotFound: ``tickets`` does not select both.
    """
    found = {ticket.row.id: ticket for ticket in await lock_all(session, tickets.where(col(Ticket.id).in_(ids)), change)}
    if found.keys() != set(ids):
        raise NotFound
    return [found[ticket_id] for ticket_id in ids]


async def lock_all(session: TenantSession, tickets: Select[Ticket], change: Change) -> list[TicketAggregate]:
    """Several tickets, in the order of their ids: of two who lock some of the same, neither waits in a circle."""
    in_order = locked(tickets.order_by(col(Ticket.id)), of=Ticket)
    return await cases_of(session, list((await session.execute(in_order)).scalars()), change)


async def cases_of(session: TenantSession, tickets: Sequence[Ticket], change: Change) -> list[TicketAggregate]:
    """Their clocks and escalations are read for all of them at once."""
    clocks = await _newest_clocks(session, tickets)
    escalations = await _escalations(session, [row for row in tickets if row.escalation_level])
    locked_tickets = []
    for row in tickets:
        ticket = TicketAggregate(session, row, await configuration_of(session, row), change)
        ticket.adopt(clocks[row.id], escalations[row.id])
        locked_tickets.append(ticket)
    return locked_tickets


async def _case(session: TenantSession, ticket: Ticket, change: Change) -> TicketAggregate:
    return (await cases_of(session, [ticket], change))[0]


async def _newest_clocks(session: TenantSession, tickets: Sequence[Ticket]) -> Mapping[int, list[SlaClock]]:
    """The newest cycle of each metric: the older ones are over, however many they are."""
    return _by_ticket((await session.execute(_CLOCKS, _of(session, tickets))).scalars() if tickets else ())


async def _escalations(session: TenantSession, tickets: Sequence[Ticket]) -> Mapping[int, list[Escalation]]:
    return _by_ticket((await session.execute(_ESCALATIONS, _of(session, tickets))).scalars() if tickets else ())


def _of(session: TenantSession, tickets: Sequence[Ticket]) -> dict[str, Any]:
    return {"merchant": session.merchant_id, "tickets": [ticket.id for ticket in tickets]}


def _by_ticket(rows: Iterable[_T]) -> Mapping[int, list[_T]]:
    of_ticket: dict[int, list[_T]] = defaultdict(list)
    for row in rows:
        of_ticket[row.ticket_id].append(row)
    return of_ticket
