"""A merchant and the people around its tickets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint, func
from sqlalchemy import column as named
from sqlmodel import Field, SQLModel

from models.db.base import Row, big, choice, document, instant, text, texts
from models.people.roles import Role
from models.tickets.assignment import Availability
from models.tickets.lifecycle import Priority


class Merchant(SQLModel, table=True):
    """The tenant. ``rulebook_version`` grows with every change of categories or SLA configuration, so that caches know what is stale.

    ``reporter_priority_limit`` is the highest priority that a reporter may give to a ticket. ``closed_at``: from then on no ticket is
    opened; those that there are go on. ``time_zone`` is an IANA name, ``locale`` a BCP 47 tag.
    """

    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    slug: str = Field(sa_type=Text, unique=True)
    name: str = text()
    time_zone: str = text("UTC")
    locale: str = text("en")
    version: int = 1
    rulebook_version: int = 1
    survey_after_seconds: int = 3600
    auto_close_after_seconds: int = 7 * 86_400
    reopen_within_seconds: int = 7 * 86_400
    reporter_priority_limit: Priority = choice(Priority, Priority.HIGH)
    created_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)


class Team(Row, table=True):
    """Its row is the mutex of assignment: a transaction that counts or changes the load of its agents locks it first."""

    name: str = text()
    version: int = 1
    retired_at: datetime | None = instant(nullable=True)


class Agent(Row, table=True):
    """One that is retired keeps their name in the history, and gets no ticket any more.

    ``shift_calendar_id``: a calendar, in whose newest version's hours they are given tickets; at any time without one.
    """

    __table_args__ = (
        UniqueConstraint("merchant_id", "sub"),
        ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"]),
    )

    sub: str = text()
    name: str = text()
    email: str = text()
    role: Role = choice(Role)
    team_id: int = big()
    capacity: int = 20
    availability: Availability = choice(Availability, Availability.AVAILABLE)
    away_until: datetime | None = instant(nullable=True)
    skills: list[str] = texts()
    shift_calendar_id: int | None = big(nullable=True)
    version: int = 1
    retired_at: datetime | None = instant(nullable=True)


class Reporter(Row, table=True):
    """A person who opens tickets. ``sub`` is null until they come with a token of their own.

    ``is_email_verified``: their identity service says that the address is theirs. Without it what is opened for the address is not theirs.
    """

    __table_args__ = (
        UniqueConstraint("merchant_id", "sub"),
        Index("ix_reporter_email", "merchant_id", func.lower(named("email"))),
    )

    sub: str | None = text(nullable=True)
    name: str = text()
    email: str | None = text(nullable=True)
    is_email_verified: bool = False


class Category(Row, table=True):
    """The first by ``position`` is the default. A retired one stays on its tickets, and no new ticket gets it.

    ``skills``: who is given one of its tickets has all of them.
    """

    __table_args__ = (
        UniqueConstraint("merchant_id", "name"),
        ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"]),
    )

    name: str = text()
    team_id: int = big()
    skills: list[str] = texts()
    position: int = 0
    version: int = 1
    retired_at: datetime | None = instant(nullable=True)


class AuditEntry(Row, table=True):
    """A change outside tickets: ``actor`` is kind/id/name, ``changes`` maps a field to what it was and what it is."""

    at: datetime = instant()
    actor: str = text()
    kind: str = text()
    subject_id: int | None = big(nullable=True)
    changes: dict[str, Any] = document()
    request_id: str | None = text(nullable=True)
