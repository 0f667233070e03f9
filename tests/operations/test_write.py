"""What a change writes: one statement, whatever it moves."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import col

from models.tables.people import Agent, Team
from models.tables.session import TenantSession
from models.tables.ticket import Ticket
from tests.desk import Desk, Merchant

LONG_AGO = datetime(2020, 2, 29, 12, 30, tzinfo=UTC)


async def statements(session: TenantSession) -> list[str]:
    """What is sent from here on, in this transaction."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen((await session.connection()).sync_connection, "before_cursor_execute", note)
    return seen


async def agents_of(session: TenantSession) -> list[Agent]:
    return list((await session.execute(sa.select(Agent).order_by(col(Agent.id)))).scalars())


async def test_one_statement_moves_several_rows_and_brings_new_ones(desk: Desk, acme: Merchant) -> None:
    async with desk.database.writing(acme.id) as session:
        ana, leo, *_ = await agents_of(session)
        ana.capacity, leo.capacity, leo.away_until = 3, 4, LONG_AGO
        session.insert(Team(merchant_id=acme.id, id=session.new_id(), name="Hardware"))
        seen = await statements(session)
        await session.write()
        await session.write()
        assert len(seen) == 1
    async with desk.database.reading(acme.id) as session:
        found = [(agent.capacity, agent.away_until) for agent in (await agents_of(session))[:2]]
        assert found == [(3, None), (4, LONG_AGO)]
        assert (await session.execute(sa.select(col(Team.id)).where(col(Team.name) == "Hardware"))).one()


async def test_every_kind_of_value_comes_back_as_it_was_written(desk: Desk, acme: Merchant) -> None:
    opened = await acme.open(category="general")
    said = {
        "subject": "Umlaute äöü, quotes \" ' and a \\",
        "tags": ["a", 'b"c', "d,e"],
        "custom_fields": {"a": [1, {"b": None}], "ü": "\\u0041"},
        "organizer_id": 2**62 + 1,
        "snoozed_until": LONG_AGO,
        "category": None,
        "context": {"hasMore": False},
    }
    async with desk.database.writing(acme.id) as session:
        ticket = await session.get_one(Ticket, (acme.id, int(opened["id"])))
        for name, value in said.items():
            setattr(ticket, name, value)
        await session.write()
    async with desk.database.writing(acme.id) as session:
        ticket = await session.get_one(Ticket, (acme.id, int(opened["id"])))
        assert {name: getattr(ticket, name) for name in said} == said
        ticket.context = ticket.organizer_id = ticket.snoozed_until = None
        await session.write()
    async with desk.database.reading(acme.id) as session:
        void = sa.select(col(Ticket.id)).where(col(Ticket.id) == int(opened["id"]), col(Ticket.context).is_(None))
        assert (await session.execute(void)).one()


async def test_what_is_set_to_what_it_was_is_not_written(desk: Desk, acme: Merchant) -> None:
    async with desk.database.writing(acme.id) as session:
        ana, *_ = await agents_of(session)
        ana.capacity, ana.name = ana.capacity, "Anna"
        ana.name = "Ana"
        seen = await statements(session)
        await session.write()
        assert seen == []


async def test_a_row_that_is_gone_is_no_silent_loss(desk: Desk, acme: Merchant) -> None:
    async with desk.database.writing(acme.id) as session:
        team = Team(merchant_id=acme.id, id=session.new_id(), name="Hardware")
        session.insert(team)
        await session.write()
        found = await session.get_one(Team, (acme.id, team.id))
        elsewhere = sa.update(Team).where(col(Team.id) == team.id).values(id=session.new_id())
        await session.execute(elsewhere.execution_options(synchronize_session=False))
        found.name = "Software"
        with pytest.raises(StaleDataError):
            await session.write()
        await session.rollback()
