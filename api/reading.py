"""What a caller may read: every query on tickets starts at :func:`readable`."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select

from api.caller import ADMINS, Caller
from models.operations.errors import NotFound
from models.tables.people import Reporter
from models.tables.session import TenantSession
from models.tables.ticket import Ticket


def readable(caller: Caller) -> Select[tuple[Ticket]]:
    """The merchant's tickets for its staff, within the organizers of the token if it names some; his own for a reporter; none that is deleted."""
    return readable_with_deleted(caller).where(Ticket.deleted_at.is_(None))  # type: ignore[union-attr]


def readable_with_deleted(caller: Caller) -> Select[tuple[Ticket]]:
    # The merchant is named although row-level security would do: the planner finds the index, and two fences are better than one.
    tickets = sa.select(Ticket).where(Ticket.merchant_id == caller.merchant_id)  # type: ignore[arg-type]
    if caller.is_staff:
        organizers = caller.claims.organizer_ids
        return tickets if organizers is None else tickets.where(Ticket.organizer_id.in_(organizers))  # type: ignore[union-attr]
    own = sa.select(Reporter.id).where(Reporter.merchant_id == caller.merchant_id, Reporter.sub == caller.claims.sub)  # type: ignore[call-overload]
    return tickets.where(Ticket.reporter_id.in_(own))  # type: ignore[attr-defined]


async def find(session: TenantSession, caller: Caller, ticket_id: int) -> Ticket:
    """One ticket that the caller may see; an admin finds a deleted one too.

    Raises:
        NotFound: there is none, or none for him.
    """
    tickets = readable(caller) if caller.claims.roles.isdisjoint(ADMINS) else readable_with_deleted(caller)
    ticket = (await session.execute(tickets.where(Ticket.id == ticket_id))).scalar_one_or_none()  # type: ignore[arg-type]
    if ticket is None:
        raise NotFound
    return ticket


async def rows_of(session: TenantSession, table: Any, ticket: Ticket, *order: Any) -> list[Any]:
    found = await session.execute(
        sa.select(table).where(table.merchant_id == ticket.merchant_id, table.ticket_id == ticket.id).order_by(*order)
    )
    return list(found.scalars())
