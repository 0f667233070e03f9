"""What a person may read: every query on tickets starts at :func:`readable`."""

from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import col

from models.db.session import TenantSession
from models.errors import NotFound
from models.notifications.tables import Notification
from models.people.directory import unclaimed
from models.people.permissions import Permission, Scope, may
from models.people.roles import Role
from models.people.tables import Reporter
from models.sla.tables import Escalation, LedgerEntry, SlaClock
from models.tickets.tables import Comment, Event, Ticket

_T = TypeVar("_T", Event, Escalation, Notification, SlaClock, LedgerEntry, Comment)


class Viewer(NamedTuple):
    """Who looks. ``organizer_ids`` are those that their token names; None is all of the merchant."""

    merchant_id: int
    roles: frozenset[Role]
    organizer_ids: tuple[int, ...] | None
    sub: str
    email: str | None

    def may(self, permission: Permission) -> Scope:
        return may(self.roles, permission, self.organizer_ids)

    @property
    def is_staff(self) -> bool:
        """Whether they work on tickets; else they see only their own."""
        return self.may(Permission.READ_TICKETS) is Scope.ANY

    @property
    def sees_deleted(self) -> bool:
        return self.may(Permission.READ_DELETED) is Scope.ANY


def readable(viewer: Viewer) -> Select[Ticket]:
    """The merchant's tickets for its staff, within the organizers of the token if it names some; for a reporter their own.

    None that is deleted.
    """
    return readable_with_deleted(viewer).where(col(Ticket.deleted_at).is_(None))


def readable_with_deleted(viewer: Viewer) -> Select[Ticket]:
    # The merchant is named although row-level security would do: the planner finds the index, and two fences are better than one.
    tickets = sa.select(Ticket).where(col(Ticket.merchant_id) == viewer.merchant_id)
    if viewer.is_staff:
        organizers = viewer.organizer_ids
        return tickets if organizers is None else tickets.where(col(Ticket.organizer_id).in_(organizers))
    own = sa.select(col(Reporter.id)).where(col(Reporter.merchant_id) == viewer.merchant_id, _is_viewer(viewer))
    return tickets.where(col(Ticket.reporter_id).in_(own))


def _is_viewer(viewer: Viewer) -> sa.ColumnElement[bool]:
    """By their ``sub``; or by the address in their token, under which an agent opened tickets for a person who has not come yet."""
    by_sub = col(Reporter.sub) == viewer.sub
    return by_sub if viewer.email is None else by_sub | unclaimed(viewer.email)


async def find(session: TenantSession, viewer: Viewer, ticket_id: int) -> Ticket:
    """One ticket that ``viewer`` may see, also a deleted one if they see those.

    Raises:
        NotFound: there is none, or none for them.
    """
    tickets = readable_with_deleted(viewer) if viewer.sees_deleted else readable(viewer)
    its_reporter = (col(Reporter.merchant_id) == col(Ticket.merchant_id)) & (col(Reporter.id) == col(Ticket.reporter_id))
    # The response names the reporter: one query reads both.
    with_reporter = tickets.where(col(Ticket.id) == ticket_id).join(Reporter, its_reporter).add_columns(Reporter)
    ticket: Ticket | None = (await session.execute(with_reporter)).scalar_one_or_none()
    if ticket is None:
        raise NotFound
    return ticket


def version_for(viewer: Viewer, ticket: Ticket) -> int:
    """The version that ``viewer`` sees: a note is none for the reporter."""
    return ticket.version if viewer.is_staff else ticket.public_version


def of_ticket(table: type[_T], ticket: Ticket) -> Select[_T]:
    """The rows that belong to a ticket."""
    return sa.select(table).where(col(table.merchant_id) == ticket.merchant_id, col(table.ticket_id) == ticket.id)
