"""The merchants of the benchmark: one that is busy, with room for every ticket, and one with a long list."""

import asyncio
from dataclasses import dataclass

import asyncpg

from deploy.app_info import APP_INFO
from deploy.local.seed import Person, World, write_world
from models.db.session import Database
from models.people.roles import Role
from tests.bench.system import System
from tests.bench.wire import Answer, Connection, request

BASE = "/v1/api/helpdesk"
REPORTERS = 40
LISTED = 20_000
_AGENTS = 10
_HOUR = 3600


def world(merchant_id: int, slug: str) -> World:
    agents = tuple(Person(f"{slug}-ana{n}", f"Ana {n}", Role.AGENT) for n in range(_AGENTS))
    return World(
        merchant_id, slug, slug.title(), (*agents, Person(f"{slug}-sina", "Sina", Role.SENIOR), Person(f"{slug}-lars", "Lars", Role.LEAD))
    )


BUSY, LONG = world(2001, "busy"), world(2002, "long")


@dataclass(frozen=True)
class Cast:
    """Requests, ready to send, and the connections to send them on."""

    connections: tuple[Connection, ...]
    reporters: tuple[str, ...]
    agent: str
    lister: str

    def create(self, number: int, category: str = "general") -> bytes:
        body = {"subject": f"The till {number} does not open", "description": "Since this morning. " * 10, "category": category}
        return request("POST", f"{BASE}/tickets", self.reporters[number % len(self.reporters)], body)

    def reply(self, ticket_id: str) -> bytes:
        return request("POST", f"{BASE}/tickets/{ticket_id}/messages", self.agent, {"body": "We come at noon."})

    def resolve(self, ticket_id: str) -> bytes:
        return request("POST", f"{BASE}/tickets/{ticket_id}/resolve", self.agent, {})

    def close(self, ticket_id: str) -> bytes:
        return request("POST", f"{BASE}/tickets/{ticket_id}/close", self.agent, {})

    def prioritise(self, ticket_id: str, version: int, priority: str) -> bytes:
        return request("PATCH", f"{BASE}/tickets/{ticket_id}", self.agent, {"priority": priority}, if_match=f'"{version}"')

    def get(self, ticket_id: str) -> bytes:
        return request("GET", f"{BASE}/tickets/{ticket_id}", self.agent)

    def list_fifty(self) -> bytes:
        return request("GET", f"{BASE}/tickets?limit=50", self.lister)

    async def ask(self, asked: bytes, expected: int) -> Answer:
        """Ask on the first connection.

        Raises:
            RuntimeError: the answer is not the expected one: a figure of it would be worth nothing.
        """
        return checked(await self.connections[0].ask(asked), expected)

    async def aclose(self) -> None:
        await asyncio.gather(*(connection.aclose() for connection in self.connections))


def checked(answer: Answer, expected: int) -> Answer:
    if answer.status != expected:
        raise RuntimeError(f"{answer.status} instead of {expected}: {answer.body.decode()[:500]}")
    return answer


async def assemble(system: System, pool: asyncpg.Pool) -> Cast:
    """Write the merchants, and get everybody a token and eight connections."""
    database = Database(system.postgres.url("helpdesk_app"), pool_size=1, node=APP_INFO.node)
    try:
        for each in (BUSY, LONG):
            await write_world(database, each)
    finally:
        await database.aclose()
    await pool.execute("UPDATE agent SET capacity = 10000 WHERE merchant_id = $1", BUSY.merchant_id)
    connections = [await Connection.to(system.http_port) for _ in range(8)]
    reporters = [await token(connections[0], BUSY, f"busy-rita{n}", Role.REPORTER) for n in range(REPORTERS)]
    agent, lister = await token(connections[0], BUSY, "busy-ana0", Role.AGENT), await token(connections[0], LONG, "long-ana0", Role.AGENT)
    return Cast(tuple(connections), tuple(reporters), agent, lister)


async def write_long_list(cast: Cast, pool: asyncpg.Pool) -> None:
    """20,000 tickets of the other merchant, copies of one that was opened through the API.

    They have no workflow, and nothing due for which the reconciliation would look for one.
    """
    first = checked(
        await cast.connections[0].ask(request("POST", f"{BASE}/tickets", cast.lister, {"subject": "One", "description": "of many"})), 201
    )
    columns = await pool.fetchval(
        "SELECT array_agg(quote_ident(column_name)) FROM information_schema.columns WHERE table_name = 'ticket' AND is_generated = 'NEVER'",
    )
    await pool.execute(_copies(columns), int(first.json()["id"]), LISTED - 1)
    await pool.execute("ANALYZE ticket")


def _copies(columns: list[str]) -> str:
    return f"""
        INSERT INTO ticket ({", ".join(columns)})
        SELECT {", ".join(f"copy.{column}" for column in columns)}
        FROM ticket AS first, generate_series(1, $2::int) AS n, jsonb_populate_record(NULL::ticket, to_jsonb(first) || jsonb_build_object(
            'id', first.id + n, 'number', 1000000 + n, 'status', 'open', 'next_deadline_at', NULL,
            'priority', (ARRAY['low', 'normal', 'high', 'urgent'])[1 + n % 4],
            'created_at', first.created_at - n * interval '1 minute', 'updated_at', first.created_at - n * interval '30 seconds')) AS copy
        WHERE first.id = $1::bigint
    """  # noqa: S608 - the columns come from the catalogue


async def token(connection: Connection, of: World, sub: str, role: Role) -> str:
    claims = {"sub": sub, "name": sub.title(), "email": f"{sub}@customer.example", "merchantIds": [str(of.merchant_id)], "roles": [role]}
    answer = await connection.ask(request("POST", "/dev/identity/token", body=claims | {"expiresIn": _HOUR}))
    return str(checked(answer, 200).json()["accessToken"])
