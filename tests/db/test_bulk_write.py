"""What a change writes: one statement, whatever it moves."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import col

from models.db.session import TenantSession, locked
from models.people.tables import Agent, Team
from models.sla.policy import Metric
from models.sla.tables import SlaClock
from models.tickets.lifecycle import Priority
from models.tickets.tables import Ticket
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated

LONG_AGO = datetime(2020, 2, 29, 12, 30, tzinfo=UTC)


@pytest.fixture
async def desk(quiet: tuple[Isolated, Desk]) -> Desk:
    """Nothing moves by itself: what is read here without a lock stays as it is."""
    return quiet[1]


def statements(session: TenantSession) -> list[str]:
    """What :meth:`write` sends from here on. To be looked at after the transaction: the driver tells a little later."""
    seen: list[str] = []
    session.driver.add_query_logger(lambda query: seen.extend([query.query] if query.query.startswith("WITH") else []))
    return seen


async def agents_of(session: TenantSession) -> list[Agent]:
    return list((await session.execute(sa.select(Agent).order_by(col(Agent.id)))).scalars())


async def test_one_statement_moves_several_rows_and_brings_new_ones(desk: Desk, acme: Merchant) -> None:
    async with desk.database.writing(acme.id) as session:
        ana, leo, sina, *_ = await agents_of(session)
        ana.capacity, leo.capacity, sina.away_until = 3, 4, LONG_AGO
        session.insert(Team(merchant_id=acme.id, id=session.new_id(), name="Hardware"))
        seen = statements(session)
        await session.write()
        await session.write()
    assert len(seen) == 1
    async with desk.database.reading(acme.id) as session:
        ana, leo, sina, lars = await agents_of(session)
        assert (ana.capacity, leo.capacity, sina.away_until, lars.away_until) == (3, 4, LONG_AGO, None)
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
    }
    async with desk.database.writing(acme.id) as session:
        ticket = await session.get_one(Ticket, (acme.id, int(opened["id"])))
        for name, value in said.items():
            setattr(ticket, name, value)
        await session.write()
    async with desk.database.writing(acme.id) as session:
        ticket = await session.get_one(Ticket, (acme.id, int(opened["id"])))
        assert {name: getattr(ticket, name) for name in said} == said
        ticket.organizer_id = ticket.snoozed_until = None
        await session.write()
    async with desk.database.reading(acme.id) as session:
        void = sa.select(col(Ticket.id)).where(col(Ticket.id) == int(opened["id"]), col(Ticket.organizer_id).is_(None))
        assert (await session.execute(void)).one()


async def test_a_clock_keeps_its_durations_to_the_microsecond(desk: Desk, acme: Merchant) -> None:
    opened, two_years = await acme.open(category="general"), timedelta(days=730, microseconds=1)
    clocks = sa.select(SlaClock).where(col(SlaClock.ticket_id) == int(opened["id"]), col(SlaClock.metric) == Metric.RESOLUTION)
    async with desk.database.writing(acme.id) as session:
        clock = (await session.execute(locked(clocks))).scalar_one()
        clock.target, clock.spent, clock.warned_fraction, clock.is_withdrawn = two_years, two_years / 7, 0.1, True
        clock.reached, clock.attributed_priority = {"1": LONG_AGO.isoformat()}, Priority.URGENT
        await session.write()
    async with desk.database.reading(acme.id) as session:
        clock = (await session.execute(clocks)).scalar_one()
        assert (clock.target, clock.spent, clock.warned_fraction, clock.is_withdrawn) == (two_years, two_years / 7, 0.1, True)
        assert (clock.reached, clock.attributed_priority) == ({"1": LONG_AGO.isoformat()}, Priority.URGENT)
        seconds = await session.execute(clocks.with_only_columns(sa.func.extract("epoch", col(SlaClock.target))))
        assert float(seconds.scalar_one()) == two_years.total_seconds()


async def test_the_same_change_is_the_same_statement_whatever_its_order(desk: Desk, acme: Merchant) -> None:
    seen = set()
    for names in (
        ("organizer_id", "waiting_since", "version"),
        ("waiting_since", "organizer_id"),
        ("updated_at", "organizer_id", "waiting_since"),
    ):
        opened = await acme.open(category="general")
        async with desk.database.writing(acme.id) as session:
            ticket = await session.get_one(Ticket, (acme.id, int(opened["id"])))
            ticket.sqlmodel_update({name: LONG_AGO if name.endswith(("_at", "_since")) else 7 for name in names})
            sent = statements(session)
            await session.write()
        seen.update(sent)
    assert len(seen) == 1
    assert "description" not in seen.pop()


async def test_one_and_true_are_two_values(desk: Desk, acme: Merchant) -> None:
    opened = await acme.open(category="general", customFields={"till": True})
    response = await acme.ana.patch(f"/tickets/{opened['id']}", json={"customFields": {"till": 1}}, headers={"If-Match": "*"})
    assert response.status_code == 200
    seen = (await acme.get(opened["id"]))["customFields"]
    assert (seen, type(seen["till"])) == ({"till": 1}, int)


async def test_what_is_set_to_what_it_was_is_not_written(desk: Desk, acme: Merchant) -> None:
    async with desk.database.writing(acme.id) as session:
        ana, *_ = await agents_of(session)
        ana.capacity, ana.name = ana.capacity, "Anna"
        ana.name = "Ana"
        seen = statements(session)
        await session.write()
    assert seen == []


async def test_a_row_that_is_gone_is_no_silent_loss(desk: Desk, acme: Merchant) -> None:
    with pytest.raises(StaleDataError):
        await rename_what_is_gone(desk, acme)


async def rename_what_is_gone(desk: Desk, acme: Merchant) -> None:
    async with desk.database.writing(acme.id) as session:
        team = Team(merchant_id=acme.id, id=session.new_id(), name="Hardware")
        session.insert(team)
        await session.write()
        found = await session.get_one(Team, (acme.id, team.id))
        elsewhere = sa.update(Team).where(col(Team.id) == team.id).values(id=session.new_id())
        await session.execute(elsewhere)
        found.name = "Software"
