"""What a transaction reads and how it ends: see docs/decisions/0024-a-thin-door-to-rows.md."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, InvalidRequestError, NoResultFound
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlmodel import col

from models.db.failures import is_away
from models.db.prepared import Prepared
from models.db.rows import made
from models.db.session import Database, TenantSession, locked
from models.people.tables import Agent, Reporter, Team
from models.tickets.tables import Ticket
from tests.support.desk import NODE, Desk, Merchant
from tests.support.isolated import Isolated

_BY_NAME = sa.select(Agent).where(col(Agent.name) == sa.bindparam("name", "Ana"))
_WITHOUT_TEXTS = [sa.orm.defer(getattr(Ticket, name)) for name in ("description", "custom_fields")]
_PID = Prepared[int]("SELECT pg_backend_pid()")


@pytest.fixture
async def desk(quiet: tuple[Isolated, Desk]) -> Desk:
    """Nothing moves by itself: what is read here without a lock stays as it is."""
    return quiet[1]


async def ana(session: TenantSession) -> Agent:
    return (await session.execute(Prepared(_BY_NAME), {"name": "Ana"})).scalar_one()


async def test_a_row_is_one_object_however_it_is_read(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as session:
        first = await ana(session)
        first.capacity = 3
        built = (await session.execute(sa.select(Agent, sa.literal(1)).where(col(Agent.id) == first.id))).one()
        assert built == (first, 1)
        assert await session.get(Agent, (acme.id, first.id)) is first
        assert session.seen(Agent, [first.id, 1]) == {first.id: first}
        assert first.capacity == 3


async def test_a_locked_row_is_as_it_stands(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as session:
        before = await ana(session)
        async with desk.database.reading(acme.id) as other:
            (await ana(other)).capacity = 3
        assert (await ana(session)).capacity != 3
        assert (await session.execute(locked(_BY_NAME))).scalar_one() is before
        assert before.capacity == 3


async def test_what_is_joined_to_a_locked_row_keeps_what_was_changed_of_it(desk: Desk, acme: Merchant) -> None:
    await acme.open(category="general")
    both = sa.select(Ticket, Reporter).join(Reporter, col(Reporter.id) == col(Ticket.reporter_id))
    async with desk.database.reading(acme.id) as session:
        _, reporter = (await session.execute(both)).one()
        reporter.name = "Rita Renamed"
        for asked in (locked(both, of=Ticket), Prepared(locked(both, of=Ticket))):
            assert (await session.execute(asked)).one()[1].name == "Rita Renamed"
    async with desk.database.reading(acme.id) as session:
        assert (await session.execute(both)).one()[1].name == "Rita Renamed"  # written by the end of the transaction


@pytest.mark.parametrize("_again", range(2))
async def test_a_column_that_was_left_out_is_not_there_until_it_is_read(_again: int, desk: Desk, acme: Merchant) -> None:
    """Also when SQLAlchemy has compiled the statement before."""
    await acme.open(category="general", description="Long")
    without = sa.select(Reporter, Ticket).join(Ticket, col(Ticket.reporter_id) == col(Reporter.id)).options(*_WITHOUT_TEXTS)
    async with desk.database.reading(acme.id) as session:
        reporter, ticket = (await session.execute(without)).one()
        assert reporter.id == ticket.reporter_id
        with pytest.raises(DetachedInstanceError):
            assert ticket.description
        ticket.subject = "Changed"
        assert (await session.execute(sa.select(Ticket))).scalar_one() is ticket
        assert (ticket.subject, ticket.description) == ("Changed", "Long")


async def test_a_row_that_an_outer_join_does_not_find_is_none(desk: Desk, acme: Merchant) -> None:
    none = sa.select(Agent, Team).outerjoin(Team, col(Team.id) == 1).where(col(Agent.name) == "Ana")
    async with desk.database.reading(acme.id) as session:
        for asked in (none, Prepared(none)):
            assert (await session.execute(asked)).one()[1] is None


async def test_what_is_not_there_is_said(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as session:
        assert await session.get(Agent, (acme.id, 1)) is None
        with pytest.raises(NoResultFound):
            await session.get_one(Agent, (acme.id, 1))


async def test_a_prepared_statement_takes_no_value_from_where_it_was_made(desk: Desk, acme: Merchant) -> None:
    async with desk.database.reading(acme.id) as session:
        with pytest.raises(KeyError, match="name"):
            await session.execute(Prepared(_BY_NAME))


async def test_a_prepared_statement_has_no_list_of_any_length() -> None:
    with pytest.raises(TypeError, match="ANY"):
        assert Prepared(sa.select(Agent).where(col(Agent.id).in_([1, 2]))).sql


async def test_a_failure_that_was_passed_over_is_no_commit(desk: Desk, acme: Merchant) -> None:
    async def pass_over() -> None:
        async with desk.database.reading(acme.id) as session:
            with suppress(DBAPIError):
                await session.execute(sa.text("SELECT 1 / 0"))

    with pytest.raises(InvalidRequestError, match="rolled back"):
        await pass_over()


async def test_an_error_that_left_another_merchants_name_is_no_commit(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    async def pass_over() -> None:
        async with desk.database.reading(acme.id) as session:
            with suppress(ValueError):
                async with session.acting_for(globex.id):
                    raise ValueError
            await session.execute(sa.text("UPDATE team SET name = 'Renamed'"))

    with pytest.raises(InvalidRequestError, match="acting_for"):
        await pass_over()
    async with desk.database.reading(globex.id) as session:
        assert "Renamed" not in (await session.execute(sa.select(col(Team.name)))).scalars().all()


@pytest.fixture
async def small(quiet: tuple[Isolated, Desk]) -> AsyncIterator[Database]:
    database = Database(quiet[0].urls[0], pool_size=2, node=NODE)
    yield database
    await database.aclose()


@pytest.mark.parametrize("division", [sa.text("SELECT 1 / 0"), Prepared[int]("SELECT 1 / 0")])
async def test_a_connection_on_which_a_statement_failed_is_used_again(division: Prepared[int], small: Database, acme: Merchant) -> None:
    async def fail() -> None:
        async with small.reading(acme.id) as session:
            pids.append((await session.execute(_PID)).scalar_one())
            (await ana(session)).capacity = 3
            await session.execute(division)

    pids: list[int] = []
    for _ in range(3):  # it has two
        with suppress(DBAPIError):
            await fail()
    async with small.reading(acme.id) as session:
        assert (await ana(session)).capacity != 3
    assert len(set(pids)) <= 2


async def test_a_connection_on_which_a_statement_was_cancelled_is_dropped(small: Database, acme: Merchant) -> None:
    pids: list[int] = []

    async def wait() -> None:
        async with small.reading(acme.id) as session:
            pids.append((await session.execute(_PID)).scalar_one())
            await session.execute(Prepared[None]("SELECT pg_sleep(30)"))

    for _ in range(3):  # it has two
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await wait()
    assert len(set(pids)) == 3


async def test_after_a_restart_of_the_server_one_transaction_fails_and_no_other(small: Database, acme: Merchant) -> None:
    """The pool drops all of its connections, not only the one that turned out to be closed."""

    async def pid() -> int:
        async with small.reading(acme.id) as session:
            return (await session.execute(_PID)).scalar_one()

    async with small.reading(acme.id) as one, small.reading(acme.id) as other:
        pids = [(await each.execute(_PID)).scalar_one() for each in (one, other)]
    async with acme.desk.database.reading(acme.id) as session:
        await session.execute(sa.text("SELECT pg_terminate_backend(pid) FROM unnest(CAST(:pids AS int[])) AS pid"), {"pids": pids})
    with pytest.raises(DBAPIError) as raised:
        await pid()
    assert is_away(raised.value)
    assert await pid() not in pids


async def test_a_connection_that_was_cut_is_away(desk: Desk, acme: Merchant) -> None:
    async def cut() -> None:
        async with desk.database.reading(acme.id) as session, desk.database.reading(acme.id) as other:
            pid = (await session.execute(_PID)).scalar_one()
            await other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await session.execute(_PID)

    with pytest.raises(DBAPIError) as raised:
        await cut()
    assert is_away(raised.value)


def test_a_row_is_made_as_its_class_makes_it() -> None:
    at = datetime.now(UTC)
    said: dict[str, Any] = {"merchant_id": 1, "id": 2, "number": 3, "subject": "s", "description": "d", "reporter_id": 4}
    said |= {"created_at": at, "updated_at": at, "public_updated_at": at}
    assert made(Ticket, **said).model_dump() == Ticket(**said).model_dump()
    with pytest.raises(TypeError, match="subject"):
        made(Ticket, **{name: value for name, value in said.items() if name != "subject"})
    with pytest.raises(TypeError, match="colour"):
        made(Ticket, **said, colour="red")
