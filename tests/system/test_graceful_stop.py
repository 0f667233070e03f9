"""A rolling restart sends SIGTERM: a begun activity ends well. The database is made to wait, so that one is under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local.postgres import SUPERUSER
from models.platform.settings import WorkerQueue
from tests.support.isolated import Isolated, desk_without_a_worker, worker_process
from tests.system.jobs import HOUR, begun, policy_of_billing, publish, resolution

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

PATIENT = 30
"""Seconds that a statement waits for a lock."""


@asynccontextmanager
async def tickets_locked(isolated: Isolated) -> AsyncIterator[asyncpg.Connection]:
    """Nobody writes a ticket within the block."""
    connection = await asyncpg.connect(host=str(isolated.postgres.sockets), user=SUPERUSER, database=isolated.database)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE ticket IN EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def until_blocked(connection: asyncpg.Connection, count: int) -> None:
    async with asyncio.timeout(60):
        while True:
            await connection.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction the view stands still
            if await connection.fetchval(BLOCKED) >= count:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def patient_worker(isolated: Isolated, *queues: WorkerQueue) -> AsyncIterator[asyncio.subprocess.Process]:
    async with worker_process(
        isolated, "deploy", queues or WorkerQueue, database_lock_seconds=PATIENT, database_statement_seconds=PATIENT
    ) as worker:
        yield worker


async def still_works(worker: asyncio.subprocess.Process) -> None:
    """It waits for what it has begun: one that gave that up would end within a second."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(worker.wait(), 3)


async def test_a_worker_that_is_told_to_stop_ends_the_activity_that_it_has_begun(isolated: Isolated) -> None:
    async with (
        desk_without_a_worker(isolated) as desk,
        worker_process(isolated, "deploy", database_lock_seconds=PATIENT, database_statement_seconds=PATIENT) as worker,
    ):
        acme = await desk.merchant()
        ready = await acme.open()
        await desk.until(lambda: acme.get(ready["id"]), lambda seen: seen["assigneeId"] is not None, seconds=60)
        ticket = await acme.open()
        async with tickets_locked(isolated) as connection:
            await until_blocked(connection, 1)
            worker.terminate()
            await still_works(worker)
        assert await asyncio.wait_for(worker.wait(), 60) == 0
        assert (await acme.get(ticket["id"]))["assigneeId"] is not None


async def test_a_worker_that_is_told_to_stop_ends_the_batch_of_a_job_that_it_has_begun(isolated: Isolated) -> None:
    """Unlike an assignment, which belongs to a task of its workflow, a batch is a task of the server, and has the worker's grace to end."""
    async with (
        desk_without_a_worker(isolated) as desk,
        patient_worker(isolated, WorkerQueue.JOBS) as worker,
    ):
        acme = await desk.merchant()
        policy = await policy_of_billing(acme, HOUR)
        ticket = await acme.open(category="billing")
        recalculation = await publish(acme, policy, 2 * HOUR)
        async with tickets_locked(isolated) as connection:
            job = await begun(acme, recalculation)
            await until_blocked(connection, 1)
            worker.terminate()
            await still_works(worker)
        assert await asyncio.wait_for(worker.wait(), 60) == 0
        assert (await resolution(acme, ticket))["targetSeconds"] == 2 * HOUR
        assert (await acme.lars.get(f"/jobs/{job}")).json()["done"] == 1
