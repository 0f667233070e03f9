"""A transaction that is given up gives its connection back whole or not at all: idle, in no transaction, under no merchant's name."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
import sqlalchemy as sa

from models.db import connection
from models.db.prepared import Prepared
from models.db.session import Database, TenantSession
from models.people.tables import Agent
from tests.support.desk import NODE, Desk, Merchant
from tests.support.isolated import Isolated

_PID = Prepared[int]("SELECT pg_backend_pid()")
_NAME = sa.text("SELECT current_setting('app.merchant_id', true)")


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    return await quiet[1].merchant("acme")


@pytest.fixture
async def small(quiet: tuple[Isolated, Desk]) -> AsyncIterator[Database]:
    database = Database(quiet[0].urls[0], pool_size=2, node=NODE)
    yield database
    await database.aclose()


async def pid_of(session: TenantSession) -> int:
    return (await session.execute(_PID)).scalar_one()


async def require_whole(database: Database) -> None:
    """Each connection of the pool."""
    assert database.in_use == 0
    async with AsyncExitStack() as stack:
        for _ in range(database.pool_size):
            one = await stack.enter_async_context(database.engine.connect())
            raw = (await one.get_raw_connection()).driver_connection
            assert raw is not None
            assert not raw.is_in_transaction()
            assert not (await one.execute(_NAME)).scalar_one()


async def test_a_rollback_that_is_cancelled_leaves_no_busy_connection_in_the_pool(
    small: Database, acme: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ROLLBACK_SECONDS", 0.1)
    pids: list[int] = []
    is_frozen = asyncio.Event()

    async def fail() -> None:
        async with small.reading(acme.id) as session:
            pids.append(await pid_of(session))
            os.kill(pids[0], signal.SIGSTOP)  # so its rollback takes long
            is_frozen.set()
            raise ValueError

    failing = asyncio.create_task(fail())
    await is_frozen.wait()
    try:
        failing.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(15):  # a rollback has no half a minute
                await failing
        async with small.reading(acme.id) as session:
            assert await pid_of(session) != pids[0]
    finally:
        os.kill(pids[0], signal.SIGCONT)
    await require_whole(small)


@pytest.mark.parametrize("seed", range(3))
async def test_wherever_it_is_cancelled_and_however_often(seed: int, small: Database, acme: Merchant) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret

    async def change() -> None:
        async with small.writing(acme.id) as session:
            agent = (await session.execute(sa.select(Agent).limit(1))).scalar_one()
            agent.capacity = chance.randrange(1, 9)
            await session.write()
            agent.capacity += 1
            if chance.random() < 0.3:
                await session.execute(sa.text("SELECT 1 / 0"))

    for _ in range(40):
        changing = asyncio.create_task(change())
        for _ in range(chance.randrange(1, 3)):
            for _ in range(chance.randrange(25)):
                await asyncio.sleep(chance.choice((0, 0, 0.0003)))
            changing.cancel()
        with suppress(asyncio.CancelledError, sa.exc.DBAPIError):
            await changing
        await require_whole(small)
