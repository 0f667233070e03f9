"""Snowflake ids: unique over any number of processes, and in the order in which they were leased."""

import asyncio

import sqlalchemy as sa

from deploy.app_info import APP_INFO
from deploy.local.postgres import EmbeddedPostgres
from models.db.session import POOL_SECONDS, Database, is_passing
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
    async with desk.database.writing(acme.id) as session:
        lost = session.new_id()
        await session.rollback()
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
    assert took < 2 * POOL_SECONDS
    await database.aclose()
