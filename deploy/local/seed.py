"""The demo world: two merchants with the people and SLA configuration that the README and the tests use.

``python -m deploy.local.seed`` migrates the local database and seeds it. Seeding twice changes nothing.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from deploy.app_info import APP_INFO
from deploy.local.layout import DEMO_MERCHANT, read_layout
from models.db.migrate import upgrade
from models.db.session import Database, TenantSession
from models.people.roles import Role
from models.people.tables import Agent, Category, Merchant, Team
from models.platform.settings import MigrationSettings, Settings
from models.sla.calendar import Calendar
from models.sla.ladder import DEFAULT_LADDER
from models.sla.policy import Match, SlaPolicy, Targets
from models.sla.tables import ConfigurationKind, ConfigurationVersion
from models.tickets.lifecycle import Priority

DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = Calendar.model_validate({"name": "Always open", "timeZone": "UTC", "weekly": {day: [["00:00", "24:00"]] for day in DAY}})
OFFICE = Calendar.model_validate(
    {"name": "Office hours", "timeZone": "Europe/Berlin", "weekly": {day: [["08:00", "18:00"]] for day in DAY[:5]}, "holidayCountry": "DE"},
)


class Person(NamedTuple):
    sub: str
    name: str
    role: Role


class World(NamedTuple):
    merchant_id: int
    slug: str
    name: str
    people: tuple[Person, ...]


DEMO = World(
    DEMO_MERCHANT,
    "demo",
    "Demo GmbH",
    (
        Person("demo-ana", "Ana Agent", Role.AGENT),
        Person("demo-leo", "Leo Agent", Role.AGENT),
        Person("demo-sina", "Sina Senior", Role.SENIOR),
        Person("demo-lars", "Lars Lead", Role.LEAD),
    ),
)
OTHER = World(
    1002,
    "other",
    "Other Ltd",
    (
        Person("other-greta", "Greta Agent", Role.AGENT),
        Person("other-sam", "Sam Senior", Role.SENIOR),
        Person("other-lea", "Lea Lead", Role.LEAD),
    ),
)
WORLDS = (DEMO, OTHER)
HOUR = 3600


def main() -> None:
    upgrade(str(MigrationSettings().database_owner_url))
    asyncio.run(seed(Settings(), read_layout().auto_close_seconds))


async def seed(settings: Settings, auto_close_seconds: int) -> None:
    """Write both merchants unless they are there. ``auto_close_seconds`` is how long a resolved ticket waits before it closes by itself."""
    database = Database(str(settings.database_url), pool_size=1, node=APP_INFO.node)
    try:
        for world in WORLDS:
            await write_world(database, world, auto_close_seconds)
    finally:
        await database.aclose()


async def write_world(database: Database, world: World, auto_close_seconds: int = 7 * 24 * HOUR) -> None:
    async with database.writing(world.merchant_id) as session:
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(120, 3)"))
        merchant = (await session.execute(sa.select(Merchant))).scalar_one_or_none()
        if merchant is None:
            await _write(session, world, auto_close_seconds)
        else:
            merchant.auto_close_after_seconds = auto_close_seconds


async def world(database: Database) -> dict[str, Any]:
    """What ``GET /dev/world`` answers."""
    return {"merchants": [await _describe(database, world.merchant_id) for world in WORLDS]}


async def _write(session: TenantSession, world: World, auto_close_seconds: int) -> None:
    now = datetime.now(UTC)
    key: dict[str, Any] = {"merchant_id": world.merchant_id}
    team = Team(**key, id=session.new_id(), name="Support")
    people = [
        Agent(
            **key,
            id=session.new_id(),
            sub=p.sub,
            name=p.name,
            email=f"{p.sub.split('-')[1]}@{world.slug}.example",
            role=p.role,
            team_id=team.id,
        )
        for p in world.people
    ]
    names = ["general"] if world is OTHER else ["general", "billing", "demo-fast"]
    categories = [Category(**key, id=session.new_id(), name=name, team_id=team.id, position=place) for place, name in enumerate(names)]
    merchant = Merchant(id=world.merchant_id, slug=world.slug, name=world.name, auto_close_after_seconds=auto_close_seconds, created_at=now)
    for row in (merchant, team, *people, *categories, *_configuration(session, now)):
        session.insert(row)
    await session.write()


def _configuration(session: TenantSession, now: datetime) -> list[ConfigurationVersion]:
    always, office, ladder, fast, desk = (session.new_id() for _ in range(5))
    fast_targets = Targets(first_response_seconds=5, resolution_seconds=10)
    fast_policy = SlaPolicy(
        name="Seconds, to watch",
        position=1,
        match=Match(categories=("demo-fast",)),
        calendar_id=always,
        ladder_id=ladder,
        targets=dict.fromkeys(Priority, fast_targets),
        survey_after_seconds=2,
    )
    desk_policy = SlaPolicy(
        name="Desk",
        position=2,
        calendar_id=office,
        ladder_id=ladder,
        targets={
            Priority.URGENT: Targets(first_response_seconds=HOUR // 2, next_response_seconds=HOUR, resolution_seconds=4 * HOUR),
            Priority.HIGH: Targets(first_response_seconds=HOUR, next_response_seconds=2 * HOUR, resolution_seconds=8 * HOUR),
            Priority.NORMAL: Targets(first_response_seconds=4 * HOUR, next_response_seconds=8 * HOUR, resolution_seconds=20 * HOUR),
            Priority.LOW: Targets(first_response_seconds=8 * HOUR, next_response_seconds=16 * HOUR, resolution_seconds=50 * HOUR),
        },
    )
    definitions = (
        (always, ConfigurationKind.CALENDAR, ALWAYS),
        (office, ConfigurationKind.CALENDAR, OFFICE),
        (ladder, ConfigurationKind.LADDER, DEFAULT_LADDER),
        (fast, ConfigurationKind.POLICY, fast_policy),
        (desk, ConfigurationKind.POLICY, desk_policy),
    )
    return [
        ConfigurationVersion(
            merchant_id=session.merchant_id,
            id=id_,
            version=1,
            kind=kind,
            definition=value.model_dump(mode="json", by_alias=True),
            created_at=now,
        )
        for id_, kind, value in definitions
    ]


async def _describe(database: Database, merchant_id: int) -> dict[str, Any]:
    async with database.reading(merchant_id) as session:
        merchant = (await session.execute(sa.select(Merchant))).scalar_one()
        agents = (await session.execute(sa.select(Agent).order_by(col(Agent.id)))).scalars()
        categories = (await session.execute(sa.select(Category).order_by(col(Category.position)))).scalars()
        return {
            "id": str(merchant.id),
            "name": merchant.name,
            "slug": merchant.slug,
            "categories": [category.name for category in categories],
            "agents": [
                {"id": str(a.id), "sub": a.sub, "name": a.name, "email": a.email, "role": a.role, "teamId": str(a.team_id)} for a in agents
            ],
        }


if __name__ == "__main__":
    main()
