"""One merchant can't have the whole pool, and a connection that stands still holds nothing for long."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from deploy.local.postgres import EmbeddedPostgres
from models.db import pool
from models.db.failures import is_away, is_passing
from models.db.pool import USUAL, Limits, ShareIsFullError, engine_of, share_of
from models.db.session import Database
from tests.support.counted import counted
from tests.support.desk import NODE, Desk, Merchant

SLOW = sa.text("SELECT pg_sleep(0.5)")
NewDatabase = Callable[..., Database]


@pytest.fixture
async def new_database(postgres: EmbeddedPostgres) -> AsyncIterator[NewDatabase]:
    made: list[Database] = []

    def make(limits: Limits = USUAL) -> Database:
        made.append(Database(postgres.url("helpdesk_app"), pool_size=4, node=NODE, limits=limits))
        return made[-1]

    yield make
    for database in made:
        await database.aclose()


async def search(database: Database, merchant: Merchant, statement: sa.TextClause = SLOW) -> None:
    async with database.reading(merchant.id) as session:
        await session.execute(statement)


async def test_a_merchant_with_slow_searches_leaves_room_for_the_others(
    new_database: NewDatabase, acme: Merchant, globex: Merchant
) -> None:
    database = new_database()
    slow = [asyncio.create_task(search(database, acme)) for _ in range(6)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(0.3):
        await search(database, globex, sa.text("SELECT 1"))
    await asyncio.gather(*slow)


async def test_who_waits_too_long_for_the_share_is_refused_as_by_a_full_pool(
    new_database: NewDatabase, acme: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SHARE_WAIT_SECONDS", 0.1)
    database = new_database()
    slow = [asyncio.create_task(search(database, acme)) for _ in range(2)]
    await asyncio.sleep(0.05)
    refused = counted("helpdesk_database_refused_total", reason="share")
    with pytest.raises(ShareIsFullError) as raised:
        await search(database, acme)
    assert counted("helpdesk_database_refused_total", reason="share") == refused + 1
    assert is_passing(raised.value)
    assert not is_away(raised.value)
    await asyncio.gather(*slow)


async def test_a_pool_tells_how_much_of_it_is_in_use_and_whom_it_refused(
    new_database: NewDatabase, acme: Merchant, globex: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "POOL_WAIT_SECONDS", 0.1)
    database, refused = new_database(), counted("helpdesk_database_refused_total", reason="pool")
    waits = counted("helpdesk_database_connection_wait_seconds_count")
    async with AsyncExitStack() as busy:
        for merchant in (acme, acme, globex, globex):
            session = await busy.enter_async_context(database.reading(merchant.id))
            await session.execute(sa.text("SELECT 1"))
        assert database.in_use == database.pool_size == 4
        with pytest.raises(sa.exc.TimeoutError):
            await search(database, await acme.desk.merchant("third"))
    assert database.in_use == 0
    assert counted("helpdesk_database_refused_total", reason="pool") == refused + 1
    assert counted("helpdesk_database_connection_wait_seconds_count") >= waits + 4


async def test_a_search_that_is_given_up_gives_its_share_back(new_database: NewDatabase, acme: Merchant) -> None:
    database = new_database()
    for _ in range(4):
        given_up = asyncio.create_task(search(database, acme))
        await asyncio.sleep(0.02)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    async with database.reading(acme.id), asyncio.timeout(1), database.reading(acme.id) as session:
        await session.execute(sa.text("SELECT 1"))
    assert len(database._shares._of) == 0


@pytest.mark.parametrize(("pool_size", "share"), [(1, 1), (2, 2), (4, 2), (10, 6), (100, 60)])
def test_a_share_leaves_a_part_of_every_pool_that_can_be_shared(pool_size: int, share: int) -> None:
    assert share_of(pool_size, 0.6) == share


@pytest.mark.parametrize("role", ["helpdesk_app", "helpdesk_relay"])
async def test_every_connection_has_its_limits(postgres: EmbeddedPostgres, role: str) -> None:
    engine = engine_of(postgres.url(role), pool_size=1)
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    async with engine.connect() as connection:
        said = [(await connection.execute(sa.text(f"SHOW {name}"))).scalar_one() for name in names]
    await engine.dispose()
    assert said == ["10s", "5s", "30s"]


async def test_a_process_that_stands_still_in_a_transaction_loses_its_locks(new_database: NewDatabase, desk: Desk, acme: Merchant) -> None:
    database = new_database(limits=Limits(idle_in_transaction=0.2))
    held = sa.text("SELECT 1 FROM team FOR UPDATE")

    async def stand_still() -> None:
        async with database.reading(acme.id) as frozen:
            assert (await frozen.execute(held)).all()
            async with asyncio.timeout(3):
                await search(desk.database, acme, held)
            await frozen.execute(held)

    with pytest.raises(sa.exc.DBAPIError) as raised:
        await stand_still()
    assert is_passing(raised.value)


async def test_both_ends_of_a_connection_over_tcp_ask_whether_the_other_is_still_there(postgres: EmbeddedPostgres) -> None:
    """The server of the tests listens on a socket of the file system alone: a wire in between makes it TCP for our end."""
    url = make_url(postgres.url("helpdesk_app"))
    async with wire_to(Path(str(url.query["host"]), ".s.PGSQL.5432")) as port:
        tcp = url.set(host="127.0.0.1", port=port, query={}, username="helpdesk_app")
        engine = engine_of(tcp.render_as_string(hide_password=False), pool_size=1)
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            ours = driver._transport.get_extra_info("socket")
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        await engine.dispose()
    assert USUAL.as_settings()["tcp_keepalives_idle"] == "30"


@asynccontextmanager
async def wire_to(path: Path) -> AsyncIterator[int]:
    """A port whose connections end at the socket of a server."""
    links: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_unix_connection(path)
        links.extend((asyncio.create_task(pump(reader, their_writer)), asyncio.create_task(pump(their_reader, writer))))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*links)
    server.close()
