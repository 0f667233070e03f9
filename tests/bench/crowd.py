"""A merchant with many open tickets that have the same deadlines: copies of one that was opened through the API, each with its workflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlmodel import col

from deploy.app_info import APP_INFO
from deploy.local.seed import ALWAYS, write_world
from models.audit import SYSTEM, Change
from models.db.session import Database
from models.outbox import post as outbox
from models.people.roles import Role
from models.tickets.facts import facts_of
from models.tickets.lifecycle import Priority
from models.tickets.repository import lock_all
from models.tickets.tables import Ticket
from tests.bench.burst import until_none
from tests.bench.cast import BASE, Cast, token, world
from tests.bench.system import System
from tests.bench.wire import request

CROWD = world(2003, "crowd")
FAR = 50 * 3600
APART = 2
"""Seconds between the rungs of the resolution: they all come due in one short outage."""
_CATEGORY = "general"
_LADDER = {
    "name": "Crowd",
    "rungs": [
        {"level": 1, "metric": "first_response", "atFraction": 1.0, "notify": ["assignee"]},
        {"level": 1, "metric": "resolution", "offsetSeconds": -APART, "notify": ["assignee", "lead"]},
        {"level": 2, "metric": "resolution", "atFraction": 1.0, "notify": ["lead"], "reassign": "senior"},
        {"level": 3, "metric": "resolution", "offsetSeconds": APART, "notify": ["lead"], "reassign": "lead"},
    ],
}
_BATCH = 200


@dataclass
class Crowd:
    """``opened_at`` is when all its clocks started."""

    cast: Cast
    admin: str
    policy: dict[str, Any]
    opened_at: datetime
    number: int
    targets: dict[str, int] = field(default_factory=dict)

    async def publish(self, **targets: datetime) -> str:
        """A policy under which ``first_response`` or ``resolution`` comes due at that instant; the path of its recalculations."""
        self.targets |= {f"{_camel(name)}Seconds": self._seconds(at) for name, at in targets.items()}
        path = f"{BASE}/sla-policies/{self.policy['id']}"
        definition = {name: value for name, value in self.policy.items() if name not in ("id", "version", "createdAt", "createdBy")}
        body = definition | {"targets": dict.fromkeys(map(str, Priority), self.targets)}
        await self.cast.ask(request("POST", f"{path}/versions", self.admin, body), 201)
        return f"{path}/recalculations"

    def due_at(self, name: str) -> float:
        """Unix time."""
        return self.opened_at.timestamp() + self.targets[f"{_camel(name)}Seconds"]

    def _seconds(self, at: datetime) -> int:
        return int((at - self.opened_at).total_seconds())


async def assemble_crowd(system: System, pool: asyncpg.Pool, cast: Cast, number: int) -> Crowd:
    """``number`` tickets, all assigned, each with a workflow that was taken in."""
    await _people(system, pool)
    admin = await token(cast.connections[0], CROWD, "crowd-adam", Role.ADMIN)
    policy = await _policy(cast, admin)
    reporter = await token(cast.connections[0], CROWD, "crowd-rita", Role.REPORTER)
    body = {"subject": "The tills do not open", "description": "Since this morning. " * 10, "category": _CATEGORY}
    first = (await cast.ask(request("POST", f"{BASE}/tickets", reporter, body), 201)).json()
    first_id = int(first["id"])
    await until_none(pool, f"SELECT count(*) FROM ticket WHERE id = {first_id} AND assignee_id IS NULL")  # noqa: S608 - a number
    await _copy(pool, "ticket", "id", first_id, number - 1, _NEW_TICKET)
    await _copy(pool, "slaclock", "ticket_id", first_id, number - 1, "'ticket_id', first.ticket_id + n")
    await pool.execute("ANALYZE ticket, slaclock")
    await _start_workflows(system, first_id)
    await until_none(pool, _NOT_TAKEN_IN, seconds=600)
    opened_at = await pool.fetchval("SELECT running_since FROM slaclock WHERE ticket_id = $1 AND metric = 'resolution'", first_id)
    return Crowd(cast, admin, policy, opened_at, number, dict(_targets(FAR)))


async def _people(system: System, pool: asyncpg.Pool) -> None:
    database = Database(system.postgres.url("helpdesk_app"), pool_size=1, node=APP_INFO.node)
    try:
        await write_world(database, CROWD)
    finally:
        await database.aclose()
    await pool.execute("UPDATE agent SET capacity = 10000 WHERE merchant_id = $1", CROWD.merchant_id)


async def _policy(cast: Cast, admin: str) -> dict[str, Any]:
    """The merchant's first policy by position, around the clock, with nothing due for two days."""
    calendars = (await cast.ask(request("GET", f"{BASE}/calendars", admin), 200)).json()["data"]
    ladder = (await cast.ask(request("POST", f"{BASE}/escalation-ladders", admin, _LADDER), 201)).json()
    body = {
        "name": "Crowd",
        "position": 0,
        "match": {"categories": [_CATEGORY]},
        "calendarId": next(calendar["id"] for calendar in calendars if calendar["name"] == ALWAYS.name),
        "ladderId": ladder["id"],
        "targets": dict.fromkeys(map(str, Priority), _targets(FAR)),
        "warnAtFractions": [],
    }
    return dict((await cast.ask(request("POST", f"{BASE}/sla-policies", admin, body), 201)).json())


def _targets(seconds: int) -> Mapping[str, int]:
    return {"firstResponseSeconds": seconds, "resolutionSeconds": seconds}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


_AGENTS = f"(SELECT array_agg(id) FROM agent WHERE merchant_id = {CROWD.merchant_id} AND role = 'agent')"  # noqa: S608 - a number
_NEW_TICKET = f"""
    'id', first.id + n, 'number', 1000000 + n,
    'assignee_id', {_AGENTS}[1 + n % {sum(person.role is Role.AGENT for person in CROWD.people)}]
"""
_NOT_TAKEN_IN = "SELECT count(*) FROM outbox"  # they have their agents already: to be taken in changes nothing of them


async def _copy(pool: asyncpg.Pool, table: str, key: str, first_id: int, number: int, changes: str) -> None:
    columns = await pool.fetchval(
        "SELECT array_agg(quote_ident(column_name)) FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'", table
    )
    statement = f"""
        INSERT INTO {table} ({", ".join(columns)}) SELECT {", ".join(f"copy.{column}" for column in columns)}
        FROM {table} AS first, generate_series(1, $2::int) AS n,
            jsonb_populate_record(NULL::{table}, to_jsonb(first) || jsonb_build_object({changes})) AS copy
        WHERE first.{key} = $1::bigint
    """  # noqa: S608 - our own names
    await pool.execute(statement, first_id, number)


async def _start_workflows(system: System, after: int) -> None:
    """As the reconciliation does it but with many tickets in a transaction."""
    database = Database(system.postgres.url("helpdesk_app"), pool_size=1, node=APP_INFO.node)
    try:
        while after:
            after = await _tell_batch(database, after)
    finally:
        await database.aclose()


async def _tell_batch(database: Database, after: int) -> int:
    """The id of the last ticket of the batch; 0 if none was left."""
    batch = sa.select(Ticket).where(col(Ticket.id) > after).order_by(col(Ticket.id)).limit(_BATCH)
    async with database.reading(CROWD.merchant_id) as session:
        tickets = await lock_all(session, batch, Change(by=SYSTEM, at=datetime.now(UTC)))
        for ticket in tickets:
            ticket.row.facts_version += 1
            outbox.post_facts(session, facts_of(ticket), ticket.change)
        await session.write()
    return tickets[-1].row.id if tickets else 0
