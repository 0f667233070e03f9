"""PostgreSQL goes away in a burst of creates and comes back: an acknowledged ticket exists once, other clients were told to retry."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from api.auth.jwks import KeySet
from deploy.local.identity import DevelopmentIdentity
from deploy.local.postgres import FAST_AND_LOSABLE, EmbeddedPostgres
from models.db.migrate import upgrade
from models.db.session import Database
from models.tickets.tables import Event, Ticket
from tests.support.auditor import rows
from tests.support.desk import NODE, Desk, Merchant, context_of, relays_of

AT_ONCE = 12
ENOUGH = 15


class Mortal(NamedTuple):
    server: EmbeddedPostgres
    desk: Desk


@pytest.fixture
async def mortal(tmp_path: Path, environment: WorkflowEnvironment, identity: DevelopmentIdentity, jwks_url: str) -> AsyncIterator[Mortal]:
    """The API on a database that the test may kill. An acknowledged commit survives a crash, as it does in production."""
    server = EmbeddedPostgres(tmp_path / "postgres", settings={**FAST_AND_LOSABLE, "synchronous_commit": "on"})
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(upgrade, server.url("helpdesk_owner"))
        database, keys = Database(server.url("helpdesk_app"), pool_size=5, node=NODE), KeySet(jwks_url)
        relays = relays_of(server.url("helpdesk_relay"), environment.client)
        yield Mortal(server, Desk(environment, database, relays, context_of(database, keys, relays[0]), identity, tmp_path))
        for relay in relays:
            await relay._database.dispose()
        await keys.aclose()
        await database.aclose()
    finally:
        await asyncio.to_thread(server.stop)


class Burst:
    """People who open tickets without a pause; each ticket has its name as subject and as Idempotency-Key."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        self._names = count()
        self.answers: dict[str, httpx.Response] = {}
        self.is_over = False

    async def open(self, name: str) -> httpx.Response:
        return await self._merchant.rita.post("/tickets", json={"subject": name, "description": "d"}, headers={"Idempotency-Key": name})

    async def run(self) -> None:
        await asyncio.gather(*(self._person() for _ in range(AT_ONCE)))

    async def _person(self) -> None:
        while not self.is_over:
            name = f"ticket {next(self._names)}"
            self.answers[name] = await self.open(name)
            await asyncio.sleep(0.01)

    async def grows(self, status: int) -> None:
        """Wait until some more requests got this status."""
        wanted = len(self.named(status)) + ENOUGH
        await self._merchant.desk.until(lambda: self._number(status), lambda number: number >= wanted, seconds=20)

    async def _number(self, status: int) -> int:
        return len(self.named(status))

    def named(self, status: int) -> set[str]:
        return {name for name, response in self.answers.items() if response.status_code == status}


@asynccontextmanager
async def _bursting(merchant: Merchant) -> AsyncIterator[Burst]:
    burst = Burst(merchant)
    opening = asyncio.create_task(burst.run())
    try:
        yield burst
    finally:
        burst.is_over = True
        await opening


@pytest.mark.slow
@pytest.mark.parametrize("end", [EmbeddedPostgres.stop, EmbeddedPostgres.kill])
async def test_a_burst_outlives_the_database(end: Callable[[EmbeddedPostgres], None], mortal: Mortal) -> None:
    acme = await mortal.desk.merchant()
    async with _bursting(acme) as burst:
        await burst.grows(201)
        await asyncio.to_thread(end, mortal.server)
        await burst.grows(503)
        await asyncio.to_thread(mortal.server.start)
        await burst.grows(201)
    _all_were_told(burst)
    await _each_is_there_once(mortal.desk, acme, burst)


def _all_were_told(burst: Burst) -> None:
    assert burst.named(201) | burst.named(503) == burst.answers.keys()
    for name in burst.named(503):
        refused = burst.answers[name]
        assert refused.json()["code"] in {"database_unavailable", "busy"}  # busy: those who wait for the few that try to connect
        assert refused.headers["Retry-After"] == "1"


async def _each_is_there_once(desk: Desk, acme: Merchant, burst: Burst) -> None:
    """A refused ticket may exist: it was committed and the response was lost. A retry with the same key makes no second one."""
    there = Counter(ticket.subject for ticket in await rows(desk, acme, Ticket))
    assert set(there.values()) == {1}
    assert burst.named(201) <= there.keys() <= burst.answers.keys()
    again = [await burst.open(name) for name in burst.answers]
    assert {response.status_code for response in again} == {201}
    tickets = await rows(desk, acme, Ticket)
    assert sorted(ticket.subject for ticket in tickets) == sorted(burst.answers)
    assert {event.ticket_id for event in await rows(desk, acme, Event)} == {ticket.id for ticket in tickets}


@pytest.mark.parametrize(
    "where", ["postgresql://helpdesk_app@/helpdesk?host=/nowhere", "postgresql://helpdesk_app@nowhere.invalid/helpdesk"]
)
async def test_without_a_database_the_client_is_told_to_retry(where: str, desk: Desk, acme: Merchant) -> None:
    database = Database(where, pool_size=1, node=NODE)
    context = context_of(database, desk.app.state.context.keys, desk.relay)
    away = Desk(desk.environment, database, (desk.relay, desk.post), context, desk.identity, desk.mails)
    client = away.client_with(acme.rita.headers["Authorization"].removeprefix("Bearer "))
    response = await client.get("/tickets")
    ready = await away.client_with(None, base="").get("/readyz")
    assert response.status_code == 503
    assert response.json()["code"] == "database_unavailable"
    assert response.headers["Retry-After"] == "1"
    assert ready.status_code == 503
    assert ready.json()["database"] == "unreachable"
    await database.aclose()
