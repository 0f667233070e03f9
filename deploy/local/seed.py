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
from models.audit import SYSTEM, Change
from models.db.migrate import upgrade
from models.db.session import Database, TenantSession
from models.people.agents import NewAgent, add_agent
from models.people.merchants import (
    DIRECTORY,
    Beginning,
    Configured,
    NewMerchant,
    always_open,
    create_merchant,
    merchant_with_slug,
    usual_policy,
)
from models.people.roles import Role
from models.people.tables import Agent, Category, Merchant, Team
from models.platform.settings import MigrationSettings, Settings
from models.sla.calendar import Calendar
from models.sla.ladder import DEFAULT_LADDER
from models.sla.policy import Match, SlaPolicy, Targets
from models.sla.tables import ConfigurationKind
from models.tickets.lifecycle import Priority

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
ALWAYS = always_open("UTC")
OFFICE = Calendar.model_validate(
    {
        "name": "Office hours",
        "timeZone": "Europe/Berlin",
        "weekly": {day: [["08:00", "18:00"]] for day in WEEKDAYS},
        "holidayCountry": "DE",
    },
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
    """Through the operations that POST /merchants and POST /agents use; a merchant that is there keeps what it has."""
    change = Change(by=SYSTEM, at=datetime.now(UTC))
    async with database.writing(DIRECTORY) as session:
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(120, 3)"))
        is_new = await merchant_with_slug(session, world.slug) is None
        if is_new:
            await _create(session, world, change)
        async with session.acting_for(world.merchant_id):
            if is_new:
                await _add_people(session, world, change)
            await session.execute(sa.update(Merchant).values(auto_close_after_seconds=auto_close_seconds))


async def world(database: Database) -> dict[str, Any]:
    """What ``GET /dev/world`` answers."""
    return {"merchants": [await _describe(database, world.merchant_id) for world in WORLDS]}


async def _create(session: TenantSession, world: World, change: Change) -> None:
    names = ["general"] if world is OTHER else ["general", "billing", "demo-fast"]
    new = NewMerchant(slug=world.slug, name=world.name)
    await create_merchant(session, new, change, merchant_id=world.merchant_id, beginning=Beginning(names, _configuration(session)))


async def _add_people(session: TenantSession, world: World, change: Change) -> None:
    team_id = (await session.execute(sa.select(col(Team.id)))).scalar_one()
    for person in world.people:
        email = f"{person.sub.split('-')[1]}@{world.slug}.example"
        await add_agent(session, NewAgent(**person._asdict(), email=email, team_id=team_id), change)


def _configuration(session: TenantSession) -> list[Configured]:
    always, office, ladder, fast, desk = (session.new_id() for _ in range(5))
    fast_policy = SlaPolicy(
        name="Seconds, to watch",
        position=1,
        match=Match(categories=("demo-fast",)),
        calendar_id=always,
        ladder_id=ladder,
        targets=dict.fromkeys(Priority, Targets(first_response_seconds=5, resolution_seconds=10)),
        survey_after_seconds=2,
    )
    return [
        Configured(always, ConfigurationKind.CALENDAR, ALWAYS),
        Configured(office, ConfigurationKind.CALENDAR, OFFICE),
        Configured(ladder, ConfigurationKind.LADDER, DEFAULT_LADDER),
        Configured(fast, ConfigurationKind.POLICY, fast_policy),
        Configured(desk, ConfigurationKind.POLICY, usual_policy(office, ladder, position=2)),
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
