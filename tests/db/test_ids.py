"""Snowflake ids: unique over any number of processes, and in the order in which they were leased."""

import asyncio
import random
from contextlib import suppress
from itertools import pairwise

import asyncpg
import pytest
import sqlalchemy as sa

from deploy.app_info import APP_INFO
from deploy.local.postgres import EmbeddedPostgres
from models.db.failures import is_passing
from models.db.id_block import BLOCK
from models.db.pool import POOL_WAIT_SECONDS
from models.db.session import Database
from tests.support.desk import Desk, Merchant


async def test_ids_of_many_processes_at_once_are_unique(postgres: EmbeddedPostgres, acme: Merchant) -> None:
    databases = [Database(postgres.url("helpdesk_app"), pool_size=2, node=APP_INFO.node) for _ in range(4)]
    taken = await asyncio.gather(*(take(database, acme, 300) for database in databases for _ in range(8)))
    ids = [id_ for some in taken for id_ in some]
    assert len(ids) == len(set(ids)) == 4 * 8 * 300
    assert {id_ >> 12 & 1023 for id_ in ids} == {APP_INFO.node}
    for database in databases:
        await database.aclose()


async def test_ids_grow_within_a_transaction_of_any_size(desk: Desk, acme: Merchant) -> None:
    ids = await take(desk.database, acme, 10_000)
    assert ids == sorted(set(ids))


async def test_what_was_rolled_back_is_not_given_out_again(desk: Desk, acme: Merchant) -> None:
    with suppress(ConnectionError):
        async with desk.database.writing(acme.id) as session:
            lost = session.new_id()
            raise ConnectionError
    assert lost not in await take(desk.database, acme, 100)


async def take(database: Database, merchant: Merchant, count: int) -> list[int]:
    async with database.writing(merchant.id) as session:
        return [session.new_id() for _ in range(count)]


async def test_who_waits_for_a_connection_is_refused_at_the_same_time_as_the_others(postgres: EmbeddedPostgres, acme: Merchant) -> None:
    database = Database(postgres.url("helpdesk_app"), pool_size=1, node=APP_INFO.node)
    async with database.reading(acme.id) as busy:
        await busy.execute(sa.text("SELECT 1"))
        began = asyncio.get_running_loop().time()
        refused = await asyncio.gather(*(take(database, acme, 1) for _ in range(5)), return_exceptions=True)
        took = asyncio.get_running_loop().time() - began
    assert all(isinstance(each, Exception) and is_passing(each) for each in refused)
    assert took < 2 * POOL_WAIT_SECONDS
    await database.aclose()


async def test_a_writer_that_does_not_commit_keeps_nobody_from_leasing(postgres: EmbeddedPostgres, acme: Merchant) -> None:
    """Each process leases in its transaction: a lock that lasted as long would make them wait for the slowest."""
    slow, other = (Database(postgres.url("helpdesk_app"), pool_size=2, node=APP_INFO.node) for _ in range(2))
    async with slow.writing(acme.id) as session, asyncio.timeout(2):
        held = [session.new_id() for _ in range(100)]
        assert not set(held) & set(await take(other, acme, 100))
        locks = await session.execute(sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 120 AND objid = 2"))
        assert locks.scalar_one() == 0
    await slow.aclose()
    await other.aclose()


async def test_blocks_do_not_overlap_whatever_is_rolled_back_or_cancelled(postgres: EmbeddedPostgres) -> None:
    """Twelve sessions lease as fast as they can; of their calls some are rolled back and some are cancelled in the middle."""
    chance = random.Random(7)  # noqa: S311 - no secret
    leased: list[int] = []
    await asyncio.gather(*(lease_and_fail(postgres.url("helpdesk_app"), chance, leased) for _ in range(12)))
    leased.sort()
    assert len(leased) > 100
    assert all(after - before >= BLOCK for before, after in pairwise(leased))


async def lease_and_fail(url: str, chance: random.Random, leased: list[int]) -> None:
    connection = await asyncpg.connect(url)
    for _ in range(60):
        transaction = connection.transaction()
        await transaction.start()
        try:
            async with asyncio.timeout(chance.choice([0.0005, 0.001, 0.002, 5])):
                leased.append(await connection.fetchval("SELECT lease_slots()"))
        except TimeoutError:
            await transaction.rollback()
        else:
            await (transaction.rollback if chance.random() < 0.5 else transaction.commit)()
    await connection.close()


async def test_a_lease_that_is_cancelled_under_its_lock_leaves_none(postgres: EmbeddedPostgres) -> None:
    owner = await asyncpg.connect(postgres.url("helpdesk_owner"))
    cancelled, other, canceller = [await asyncpg.connect(postgres.url("helpdesk_app")) for _ in range(3)]
    changing = owner.transaction()
    await changing.start()
    await owner.execute("ALTER SEQUENCE slot CACHE 1")  # a lease waits for this where it raises the sequence
    leasing = asyncio.create_task(cancelled.fetchval("SELECT lease_slots()"))
    waits = "SELECT count(*) FROM pg_locks WHERE relation = 'slot'::regclass AND NOT granted"
    while not await owner.fetchval(waits):  # noqa: ASYNC110 - in another process
        await asyncio.sleep(0.01)
    await canceller.execute("SELECT pg_cancel_backend($1)", cancelled.get_server_pid())
    with pytest.raises(asyncpg.QueryCanceledError):
        await leasing
    await changing.rollback()
    assert await other.fetchval("SELECT lease_slots()", timeout=2) < await cancelled.fetchval("SELECT lease_slots()", timeout=2)
    for connection in (owner, cancelled, other, canceller):
        await connection.close()
