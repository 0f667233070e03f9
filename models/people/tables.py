"""A merchant and the people around its tickets."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy import column as named
from sqlmodel import Field, SQLModel

from models.db.base import Row, big, choice, instant, text, texts
from models.people.roles import Role
from models.tickets.assignment import Availability


class Merchant(SQLModel, table=True):
    """The tenant. ``rulebook_version`` grows with every change of categories or rules, so that caches know what they hold."""

    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    slug: str = text()
    name: str = text()
    rulebook_version: int = 1
    survey_after_seconds: int = 3600
    auto_close_after_seconds: int = 7 * 86_400
    reopen_within_seconds: int = 7 * 86_400
    created_at: datetime = instant()


class Team(Row, table=True):
    """Its row is the assignment mutex: a transaction that counts or changes the load of its agents holds it first."""

    name: str = text()


class Agent(Row, table=True):
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


class Reporter(Row, table=True):
    """Who opens tickets. ``sub`` is known once they came with a token of their own."""

    __table_args__ = (
        UniqueConstraint("merchant_id", "sub"),
        Index("ix_reporter_email", "merchant_id", func.lower(named("email"))),
    )

    sub: str | None = text(nullable=True)
    name: str = text()
    email: str | None = text(nullable=True)


class Category(Row, table=True):
    __table_args__ = (
        UniqueConstraint("merchant_id", "name"),
        ForeignKeyConstraint(["merchant_id", "team_id"], ["team.merchant_id", "team.id"]),
    )

    name: str = text()
    team_id: int = big()
    position: int = 0
