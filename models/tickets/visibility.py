"""What a person may read: every query on tickets starts at :func:`readable`."""

from functools import lru_cache
from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from models.db.prepared import Asked, Prepared
from models.db.session import TenantSession, locked
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
    tickets = sa.select(Ticket).where(col(Ticket.merchant_id) == sa.bindparam("viewer_merchant", viewer.merchant_id, sa.BigInteger))
    if viewer.is_staff:
        organizers = viewer.organizer_ids
        named = sa.bindparam("viewer_organizers", organizers and list(organizers), ARRAY(sa.BigInteger))
        return tickets if organizers is None else tickets.where(col(Ticket.organizer_id) == sa.any_(named))
    own = sa.select(col(Reporter.id)).where(
        col(Reporter.merchant_id) == sa.bindparam("viewer_merchant", viewer.merchant_id, sa.BigInteger), _is_viewer(viewer)
    )
    return tickets.where(col(Ticket.reporter_id).in_(own))


def _is_viewer(viewer: Viewer) -> sa.ColumnElement[bool]:
    """By their ``sub``; or by the address in their token, under which an agent opened tickets for a person who has not come yet."""
    by_sub = col(Reporter.sub) == sa.bindparam("viewer_sub", viewer.sub, sa.Text)
    return by_sub if viewer.email is None else by_sub | unclaimed(sa.bindparam("viewer_email", viewer.email, sa.Text))


async def find(session: TenantSession, viewer: Viewer, ticket_id: int) -> Ticket:
    """One ticket that ``viewer`` may see, also a deleted one if they see those.

    Raises:
        NotFound: there is none, or none for them.
    """
    ticket = (await session.execute(_asked(viewer, ticket_id, _Kind(viewer.sees_deleted, is_held=False)))).scalar_one_or_none()
    if ticket is None:
        raise NotFound
    return ticket


def held(viewer: Viewer, ticket_id: int) -> Asked[Ticket, Reporter]:
    """One ticket that ``viewer`` may see, to be locked."""
    return _asked(viewer, ticket_id, _Kind(with_deleted=False, is_held=True))


def held_even_deleted(viewer: Viewer, ticket_id: int) -> Asked[Ticket, Reporter]:
    return _asked(viewer, ticket_id, _Kind(with_deleted=True, is_held=True))


class _Kind(NamedTuple):
    with_deleted: bool
    is_held: bool


def _asked(viewer: Viewer, ticket_id: int, kind: _Kind) -> Asked[Ticket, Reporter]:
    """For all viewers of one kind it is one statement: of whom one is, all is in the values."""
    like = viewer._replace(merchant_id=0, organizer_ids=viewer.organizer_ids and (), sub="", email=viewer.email and "")
    values = {"viewer_merchant": viewer.merchant_id, "viewer_sub": viewer.sub, "viewer_email": viewer.email, "ticket": ticket_id}
    return Asked(_one(like, kind), values | {"viewer_organizers": viewer.organizer_ids})


@lru_cache(256)
def _one(viewer: Viewer, kind: _Kind) -> Prepared[Ticket, Reporter]:
    tickets = readable_with_deleted(viewer) if kind.with_deleted else readable(viewer)
    its_reporter = (col(Reporter.merchant_id) == col(Ticket.merchant_id)) & (col(Reporter.id) == col(Ticket.reporter_id))
    # The response names the reporter: one query reads both.
    one = tickets.where(col(Ticket.id) == sa.bindparam("ticket")).join(Reporter, its_reporter).add_columns(Reporter)
    return Prepared(locked(one, of=Ticket) if kind.is_held else one)


def version_for(viewer: Viewer, ticket: Ticket) -> int:
    """The version that ``viewer`` sees: a note is none for the reporter."""
    return ticket.version if viewer.is_staff else ticket.public_version


def of_ticket(table: type[_T], ticket: Ticket) -> Select[_T]:
    """The rows that belong to a ticket."""
    return sa.select(table).where(col(table.merchant_id) == ticket.merchant_id, col(table.ticket_id) == ticket.id)
