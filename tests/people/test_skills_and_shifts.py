"""Who is given a ticket has the skills of its category, and is on shift; who gets either, picks up at once what waits for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.people.tables import Agent
from models.tickets.assign import assign_waiting
from models.tickets.repository import lock, pick_up_waiting, save, with_id
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
MORNING, NOON = MIDNIGHT + timedelta(days=1, hours=9), MIDNIGHT + timedelta(days=1, hours=12)


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    """Acme, where Ana alone is given tickets and nothing moves by itself."""
    merchant = await quiet[1].merchant()
    async with merchant.desk.database.writing(merchant.id) as session:
        await session.execute(sa.update(Agent).where(col(Agent.id) != merchant.agents["ana"]).values(capacity=0))
    return merchant


async def patch(merchant: Merchant, path: str, **body: Any) -> dict[str, Any]:
    answer = await merchant.adam.patch(path, json=body, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def taken_in(merchant: Merchant, *, at: datetime = NOON, **fields: Any) -> str:
    """A ticket for which its workflow has looked for an agent; its id."""
    ticket_id = str((await merchant.open(**fields))["id"])
    async with merchant.desk.database.writing(merchant.id) as session:
        ticket = await lock(session, with_id(int(ticket_id)), Change(by=SYSTEM, at=at))
        await assign_waiting(ticket)
        await save(ticket)
    return ticket_id


async def picked_up(merchant: Merchant, at: datetime) -> None:
    """As the reconciliation does once a minute."""
    async with merchant.desk.database.writing(merchant.id) as session:
        agent = await session.get_one(Agent, (merchant.id, merchant.agents["ana"]))
        await pick_up_waiting(session, agent.team_id, Change(by=SYSTEM, at=at))


async def owner(merchant: Merchant, ticket_id: str) -> str | None:
    found: str | None = (await merchant.get(ticket_id))["assigneeId"]
    return found


async def shift_of(merchant: Merchant, hours: list[str]) -> str:
    """A calendar that is open daily in these hours (UTC); its id."""
    body = {"name": "Early", "timeZone": "UTC", "weekly": {day: [hours] for day in DAYS}}
    answer = await merchant.adam.post("/calendars", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_ticket_waits_for_the_skills_of_its_category_and_holds_up_no_other(acme: Merchant) -> None:
    await patch(acme, "/categories/billing", skills=["French", "french", "tax"])
    assert (await acme.ana.get("/categories/billing")).json()["skills"] == ["french", "tax"]
    french = await taken_in(acme, category="billing", priority="urgent")
    usual = await acme.open(category="general")
    assert await owner(acme, french) is None
    ana = f"/agents/{acme.agents['ana']}"
    await patch(acme, ana, skills=["french"])
    assert await owner(acme, french) is None
    assert await owner(acme, usual["id"]) == str(acme.agents["ana"])
    await patch(acme, ana, skills=["Tax", "french", "law"])
    assert await owner(acme, french) == str(acme.agents["ana"])
    assert [each["id"] for each in (await acme.lars.get("/agents", params={"skill": "LAW"})).json()["data"]] == [ana.split("/")[2]]


async def test_a_category_that_asks_for_less_is_picked_up(acme: Merchant) -> None:
    await patch(acme, "/categories/billing", skills=["french"])
    french = await taken_in(acme, category="billing")
    await patch(acme, "/categories/billing", skills=[])
    assert await owner(acme, french) == str(acme.agents["ana"])


async def test_behind_a_page_of_tickets_without_the_skill_the_others_are_found(acme: Merchant) -> None:
    await patch(acme, "/categories/billing", skills=["french"])
    for _ in range(21):
        await acme.open(category="billing", priority="high")
    usual = await acme.open(category="general")
    await picked_up(acme, NOON)
    assert await owner(acme, usual["id"]) == str(acme.agents["ana"])


async def test_an_agent_is_given_tickets_on_shift_only(acme: Merchant) -> None:
    ana = f"/agents/{acme.agents['ana']}"
    shift = await shift_of(acme, ["09:00", "12:00"])
    assert (await patch(acme, ana, shiftCalendarId=shift))["shiftCalendarId"] == shift
    ticket = await taken_in(acme, category="general", at=NOON)
    await picked_up(acme, MORNING - timedelta(microseconds=1))
    assert await owner(acme, ticket) is None
    await picked_up(acme, MORNING + timedelta(days=1))
    assert await owner(acme, ticket) == str(acme.agents["ana"])


async def test_the_newest_version_of_the_calendar_is_the_shift(acme: Merchant) -> None:
    shift = await shift_of(acme, ["09:00", "12:00"])
    await patch(acme, f"/agents/{acme.agents['ana']}", shiftCalendarId=shift)
    ticket = await taken_in(acme, category="general", at=NOON)
    assert await owner(acme, ticket) is None
    body = {"name": "Late", "timeZone": "UTC", "weekly": {day: [["12:00", "18:00"]] for day in DAYS}}
    assert (await acme.adam.post(f"/calendars/{shift}/versions", json=body)).status_code == 201
    await picked_up(acme, NOON)
    assert await owner(acme, ticket) == str(acme.agents["ana"])


async def test_without_a_shift_an_agent_is_there_at_any_time(acme: Merchant) -> None:
    ana, shift = f"/agents/{acme.agents['ana']}", await shift_of(acme, ["09:00", "09:01"])
    await patch(acme, ana, shiftCalendarId=shift)
    ticket = await taken_in(acme, category="general", at=NOON)
    assert await owner(acme, ticket) is None
    assert (await patch(acme, ana, shiftCalendarId=None))["shiftCalendarId"] is None
    assert await owner(acme, ticket) == str(acme.agents["ana"])


async def test_a_shift_is_a_calendar_that_there_is(acme: Merchant) -> None:
    answer = await acme.adam.patch(f"/agents/{acme.agents['ana']}", json={"shiftCalendarId": "9"}, headers={"If-Match": "*"})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "/shiftCalendarId", "unknown_calendar")


async def test_who_joins_picks_up_what_waits(acme: Merchant) -> None:
    await patch(acme, f"/agents/{acme.agents['ana']}", capacity=0)
    ticket = await taken_in(acme, category="general")
    team = (await acme.get(ticket))["teamId"]
    body = {"sub": f"tim-{acme.id}", "name": "Tim", "email": "tim@x.example", "role": "agent", "teamId": team}
    tim = await acme.adam.post("/agents", json=body)
    assert await owner(acme, ticket) == tim.json()["id"]


async def test_who_was_away_until_a_moment_ago_is_listed_as_available(acme: Merchant) -> None:
    async with acme.desk.database.writing(acme.id) as session:
        past = {"availability": "away", "away_until": datetime.now(UTC) - timedelta(seconds=1)}
        await session.execute(sa.update(Agent).where(col(Agent.id) == acme.agents["ana"]).values(**past))
        ended = sa.update(Agent).where(col(Agent.id) == acme.agents["leo"])
        await session.execute(ended.values(availability="away", away_until=None))

    async def found(state: str) -> list[str]:
        return [each["name"] for each in (await acme.lars.get("/agents", params={"availability": state})).json()["data"]]

    assert (await found("available"), await found("away")) == (["Ana", "Sina", "Lars"], ["Leo"])


async def test_every_change_is_in_the_audit_with_ids_as_texts(acme: Merchant) -> None:
    ana, shift = f"/agents/{acme.agents['ana']}", await shift_of(acme, ["09:00", "12:00"])
    await patch(acme, ana, shiftCalendarId=shift, skills=["french"])
    assert (await acme.ana.put(f"{ana}/availability", json={"state": "away"})).status_code == 200
    await patch(acme, "/categories/billing", skills=["french"])
    entries = (await acme.adam.get("/audit", params={"limit": "3"})).json()["data"]
    assert [(each["kind"], each["changes"]) for each in entries] == [
        ("category.edited", {"skills": [[], ["french"]]}),
        ("agent.availability_set", {"availability": ["available", "away"]}),
        ("agent.edited", {"skills": [[], ["french"]], "shiftCalendarId": [None, shift]}),
    ]


async def test_a_reporter_sees_what_categories_to_choose_from_and_no_more(acme: Merchant) -> None:
    seen = (await acme.rita.get("/categories")).json()["data"]
    assert {"name": "billing", "isDefault": False} in seen
    assert [set(each) for each in seen] == [{"name", "isDefault"}] * len(seen)
    assert (await acme.rita.get("/categories/billing")).json() == {"name": "billing", "isDefault": False}
    assert (await acme.adam.delete("/categories/billing")).status_code == 204
    assert (await acme.rita.get("/categories/billing")).status_code == 404
    assert (await acme.ana.get("/categories/billing")).json()["retiredAt"]
