"""A merchant is made, with all that its first ticket needs; it is closed, and reopened."""

from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

import sqlalchemy as sa
from pydantic import AfterValidator, StringConstraints
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.audit import Change
from models.db.session import TenantSession
from models.errors import Conflict
from models.people.audit import record
from models.people.tables import Category, Merchant, Team
from models.platform.settings import SLUG
from models.sla.business_time import known_zones
from models.sla.calendar import Calendar
from models.sla.configuration import version_row
from models.sla.definitions import Definition, Key
from models.sla.ladder import DEFAULT_LADDER
from models.sla.policy import SlaPolicy, Targets
from models.sla.tables import ConfigurationKind
from models.tickets.lifecycle import Priority
from models.value import Value

DIRECTORY: Final = 0
"""Stands for no merchant: a transaction that names it reads the list of all merchants, may make one, and sees no other row."""
TEAM: Final = "Support"
_HOUR: Final = 3600
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Listed = aliased(
    Merchant,
    sa.table("merchantdirectory", *(sa.column(each.name, each.type) for each in sa.inspect(Merchant).columns)),
    adapt_on_names=True,
)
"""A merchant as the directory has it: a view that is empty for every transaction but the directory's. See migration 0006."""


def _known_time_zone(name: str) -> str:
    if name not in known_zones():
        raise ValueError("no time zone: write an IANA name, for example Europe/Berlin")
    return name


Slug = Annotated[str, StringConstraints(pattern=SLUG)]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_time_zone)]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class NewMerchant(Value):
    """``slug`` is its name for machines: unique, and it stays. ``time_zone`` is its calendar's."""

    name: str
    slug: Slug
    time_zone: TimeZone = "UTC"
    locale: Locale = "en"


class Configured(NamedTuple):
    """The first version of one configuration."""

    id: int
    kind: ConfigurationKind
    definition: Definition


class Beginning(NamedTuple):
    """What a merchant has from the start besides its team: the categories, the first is the default, and its SLA configuration."""

    categories: Sequence[str]
    configuration: Sequence[Configured]


def usual_beginning(session: TenantSession, time_zone: str) -> Beginning:
    """One category; open at any time, with the targets of a usual desk and the ladder of three rungs."""
    calendar, ladder, policy = (session.new_id() for _ in range(3))
    return Beginning(
        ["general"],
        [
            Configured(calendar, ConfigurationKind.CALENDAR, always_open(time_zone)),
            Configured(ladder, ConfigurationKind.LADDER, DEFAULT_LADDER),
            Configured(policy, ConfigurationKind.POLICY, usual_policy(calendar, ladder)),
        ],
    )


def always_open(time_zone: str) -> Calendar:
    week = {day: [["00:00", "24:00"]] for day in _DAYS}
    return Calendar.model_validate({"name": "Always open", "timeZone": time_zone, "weekly": week})


def usual_policy(calendar_id: int, ladder_id: int, *, position: int = 1) -> SlaPolicy:
    """Targets for every ticket, in seconds of its calendar."""
    hours = {Priority.URGENT: (0.5, 1, 4), Priority.HIGH: (1, 2, 8), Priority.NORMAL: (4, 8, 20), Priority.LOW: (8, 16, 50)}
    return SlaPolicy(
        name="Desk",
        position=position,
        calendar_id=calendar_id,
        ladder_id=ladder_id,
        targets={priority: _targets(*each) for priority, each in hours.items()},
    )


def _targets(first: float, following: float, resolution: float) -> Targets:
    seconds = [round(hours * _HOUR) for hours in (first, following, resolution)]
    return Targets(first_response_seconds=seconds[0], next_response_seconds=seconds[1], resolution_seconds=seconds[2])


async def create_merchant(
    session: TenantSession, new: NewMerchant, change: Change, *, merchant_id: int | None = None, beginning: Beginning | None = None
) -> Merchant:
    """Make a merchant that takes tickets at once, in a transaction of the directory. ``merchant_id`` is a new one, if none is given.

    Raises:
        Conflict: another merchant has the slug.
    """
    merchant = Merchant(id=merchant_id or session.new_id(), created_at=change.at, **new.model_dump())
    async with session.acting_for(merchant.id):
        await _insert(session, merchant)
        start = beginning or usual_beginning(session, new.time_zone)
        team = Team(merchant_id=merchant.id, id=session.new_id(), name=TEAM)
        session.insert(team)
        for position, name in enumerate(start.categories):
            session.insert(Category(merchant_id=merchant.id, id=session.new_id(), name=name, team_id=team.id, position=position))
        for each in start.configuration:
            session.insert(version_row(session, each.kind, Key(each.id, 1), each.definition, change))
        record(session, change, "merchant.created", merchant.id, slug=[None, new.slug], name=[None, new.name])
        await session.write()
    return merchant


async def merchant_with_slug(session: TenantSession, slug: str) -> Merchant | None:
    """In a transaction of the directory."""
    return (await session.execute(sa.select(Listed).where(col(Listed.slug) == slug))).scalar_one_or_none()


async def close_merchant(session: TenantSession, merchant: Merchant, change: Change) -> None:
    """From now on no ticket is opened, a follow-up neither; the tickets that there are go on. ``merchant`` is locked."""
    if merchant.closed_at is None:
        await _set_closed_at(session, merchant, change, "merchant.closed")


async def reopen_merchant(session: TenantSession, merchant: Merchant, change: Change) -> None:
    if merchant.closed_at is not None:
        await _set_closed_at(session, merchant, change, "merchant.reopened")


async def _set_closed_at(session: TenantSession, merchant: Merchant, change: Change, kind: str) -> None:
    merchant.closed_at = change.at if merchant.closed_at is None else None
    merchant.version += 1
    record(session, change, kind, merchant.id)
    await session.write()


async def _insert(session: TenantSession, merchant: Merchant) -> None:
    """The unique slug is over all merchants, also those that this transaction can't see."""
    added = insert(Merchant).values(merchant.model_dump()).on_conflict_do_nothing(index_elements=["slug"]).returning(col(Merchant.id))
    if (await session.execute(added)).scalar_one_or_none() is None:
        raise Conflict("slug_taken", "Another merchant has this slug: choose another one.")
