"""Which failure passes by itself: what is known to, and nothing else. Of the rest the same would come again, for ever."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from models.db.failures import is_away, is_passing
from models.db.prepared import Prepared
from models.db.session import TenantSession
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated


async def failure(desk: Desk, acme: Merchant, *statements: str, **values: object) -> DBAPIError:
    async def run() -> None:
        async with desk.database.reading(acme.id) as session:
            for statement in statements[:-1]:
                await session.execute(sa.text(statement))
            await session.execute(sa.text(statements[-1]), values)

    with pytest.raises(DBAPIError) as raised:
        await run()
    return raised.value


async def test_more_values_than_a_statement_may_have_do_not_pass(desk: Desk, acme: Merchant) -> None:
    statuses = {f"s{number}": "open" for number in range(33_000)}
    error = await failure(desk, acme, f"SELECT 1 WHERE 'new' IN ({', '.join(f':{name}' for name in statuses)})", **statuses)
    assert getattr(error.orig, "sqlstate", None) is None
    assert not is_passing(error)


async def test_a_value_out_of_range_does_not_pass(desk: Desk, acme: Merchant) -> None:
    error = await failure(desk, acme, "SELECT CAST(:number AS bigint)", number=2**64)
    assert not is_passing(error)


async def test_a_statement_that_took_too_long_does_not_pass(desk: Desk, acme: Merchant) -> None:
    error = await failure(desk, acme, "SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)")
    assert not is_passing(error)


async def test_a_database_that_only_reads_is_away(desk: Desk, acme: Merchant) -> None:
    error = await failure(desk, acme, "SET TRANSACTION READ ONLY", "UPDATE team SET name = name")
    assert is_away(error)
    assert is_passing(error)


async def test_a_connection_that_was_cut_is_away(desk: Desk, acme: Merchant) -> None:
    async with desk.database.engine.connect() as connection:
        pid = (await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
        async with desk.database.engine.connect() as other:
            await other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(sa.text("SELECT 1"))
    assert is_away(raised.value)
    assert is_passing(raised.value)


async def test_a_lock_that_was_not_had_in_time_passes_and_the_database_is_there(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as holder:
        await holder.execute(sa.text("SELECT 1 FROM team FOR UPDATE"))
        error = await failure(desk, acme, "SET LOCAL lock_timeout = 20", "SELECT 1 FROM team FOR UPDATE")
    assert is_passing(error)
    assert not is_away(error)


async def test_a_deadlocks_victim_may_come_again(desk: Desk, acme: Merchant) -> None:
    first, second = sorted(acme.agents.values())[:2]
    ready = asyncio.Barrier(2)

    async def lock_both(session: TenantSession, *ids: int) -> None:
        for agent_id in ids:
            await session.execute(sa.text("SELECT 1 FROM agent WHERE id = :id FOR UPDATE"), {"id": agent_id})
            if agent_id == ids[0]:
                await ready.wait()

    async def change(*ids: int) -> None:
        async with desk.database.reading(acme.id) as session:
            await lock_both(session, *ids)

    ended = await asyncio.gather(change(first, second), change(second, first), return_exceptions=True)
    (victim,) = [each for each in ended if each is not None]
    assert is_passing(victim)
    assert not is_away(victim)


async def test_without_a_connection_it_passes() -> None:
    assert is_passing(ConnectionRefusedError())
    assert is_passing(TimeoutError())
    assert not is_passing(ValueError())


@pytest.mark.parametrize("asked", [Prepared[int]("SELECT * FROM told"), sa.text("SELECT * FROM told")])
async def test_a_statement_that_was_prepared_before_a_migration_passes(asked: Prepared[int], quiet: tuple[Isolated, Desk]) -> None:
    """The driver prepares it anew, but not in the same transaction, and each of the pool's connections by itself."""
    isolated, desk = quiet

    async def tell() -> int:
        async with desk.database.reading(1) as session:
            return (await session.execute(asked)).scalar_one()

    made = "DROP TABLE IF EXISTS told; CREATE TABLE told AS SELECT 1 AS what; GRANT SELECT ON told TO PUBLIC"
    isolated.postgres.psql(made, isolated.database)
    assert await tell() == 1
    isolated.postgres.psql("ALTER TABLE told ALTER what TYPE bigint", isolated.database)
    with pytest.raises(DBAPIError) as raised:
        await tell()
    assert is_passing(raised.value)
    assert not is_away(raised.value)
    assert await tell() == 1
