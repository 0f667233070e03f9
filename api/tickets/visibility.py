"""What a caller may read: every query on tickets starts at :func:`readable`."""

from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import ADMINS, Caller
from models.db.session import TenantSession
from models.errors import NotFound
from models.notifications.tables import Notification
from models.people.directory import unclaimed
from models.people.tables import Reporter
from models.sla.tables import Escalation, LedgerEntry, SlaClock
from models.tickets.tables import Comment, Event, Ticket

_T = TypeVar("_T", Event, Escalation, Notification, SlaClock, LedgerEntry, Comment)


def readable(caller: Caller) -> Select[Ticket]:
    """The merchant's tickets for its staff, within the organizers of the token if it names some; for a reporter his own.

    None that is deleted.
    """
    return readable_with_deleted(caller).where(col(Ticket.deleted_at).is_(None))


def readable_with_deleted(caller: Caller) -> Select[Ticket]:
    # The merchant is named although row-level security would do: the planner finds the index, and two fences are better than one.
    tickets = sa.select(Ticket).where(col(Ticket.merchant_id) == caller.merchant_id)
    if caller.is_staff:
        organizers = caller.claims.organizer_ids
        return tickets if organizers is None else tickets.where(col(Ticket.organizer_id).in_(organizers))
    himself = sa.select(col(Reporter.id)).where(col(Reporter.merchant_id) == caller.merchant_id, _is_himself(caller))
    return tickets.where(col(Ticket.reporter_id).in_(himself))


def _is_himself(caller: Caller) -> sa.ColumnElement[bool]:
    """By his ``sub``; or by the address in his token, under which an agent opened tickets for somebody who has not come yet."""
    by_sub, email = col(Reporter.sub) == caller.claims.sub, caller.claims.email
    if email is None:
        return by_sub
    return by_sub | unclaimed(email)


async def find(session: TenantSession, caller: Caller, ticket_id: int) -> Ticket:
    """One ticket that the caller may see; an admin finds a deleted one too.

    Raises:
        NotFound: there is none, or none for him.
    """
    tickets = readable(caller) if caller.claims.roles.isdisjoint(ADMINS) else readable_with_deleted(caller)
    its_reporter = (col(Reporter.merchant_id) == col(Ticket.merchant_id)) & (col(Reporter.id) == col(Ticket.reporter_id))
    with_reporter = tickets.where(col(Ticket.id) == ticket_id).join(Reporter, its_reporter).add_columns(Reporter)  # the view needs him
    ticket: Ticket | None = (await session.execute(with_reporter)).scalar_one_or_none()
    if ticket is None:
        raise NotFound
    return ticket


def of_ticket(table: type[_T], ticket: Ticket) -> Select[_T]:
    """The rows that belong to a ticket."""
    return sa.select(table).where(col(table.merchant_id) == ticket.merchant_id, col(table.ticket_id) == ticket.id)
