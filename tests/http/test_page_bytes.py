"""A page has a bound in bytes as well as in rows: a hundred long texts are no response of forty megabytes."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.http import pagination
from api.http.pagination import MAX_BYTES
from models.audit import SYSTEM, ActorKind
from models.db.session import TenantSession
from models.tickets.tables import Comment, CommentKind, Event
from tests.support.desk import BASE, Desk, Merchant
from tests.support.isolated import Isolated
from tests.support.statements import statements

ROWS = 8
LARGE = MAX_BYTES // 4
AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> Merchant:
    return await whole_desk.merchant("shop")


@pytest.fixture(scope="module")
async def ticket(whole_desk: Desk, shop: Merchant) -> dict[str, Any]:
    """With eight replies and events that are long, the last one longer than any page."""
    opened = await shop.open(customFields={"text": "y" * 60_000})
    async with whole_desk.database.writing(shop.id) as session:
        for n in range(ROWS):
            _add(session, int(opened["id"]), n, "x" * (LARGE if n < ROWS - 1 else 2 * MAX_BYTES))
        await session.write()
    return opened


def _add(session: TenantSession, ticket_id: int, n: int, text: str) -> None:
    at, about = AT + timedelta(seconds=n), {"merchant_id": session.merchant_id, "ticket_id": ticket_id}
    author = {"author_kind": ActorKind.SYSTEM, "author_id": None, "author_name": "S"}
    session.append(Comment, **about, **author, id=session.new_id(), kind=CommentKind.REPLY, body=text, created_at=at)
    event = {"sequence": 1000 + n, "at": at, "actor_kind": SYSTEM.kind, "actor_id": None, "actor_name": "S", "kind": "ticket.edited"}
    session.append(Event, **about, **event, id=session.new_id(), changes={"text": text})


async def pages(client: httpx.AsyncClient, path: str) -> list[list[Any]]:
    found, link = [], path
    while link:
        response = await client.get(link)
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["page"]["hasMore"] == ("next" in response.links)
        found.append(page["data"])
        link = response.links.get("next", {}).get("url", "").removeprefix(BASE)
    return found


async def test_a_page_of_long_replies_ends_early_and_none_is_left_out(shop: Merchant, ticket: dict[str, Any]) -> None:
    found = await pages(shop.lars, f"/tickets/{ticket['id']}/messages?limit=100")
    assert [[len(each["body"]) for each in page] for page in found] == [[LARGE] * 4, [LARGE] * 3 + [2 * MAX_BYTES]]
    assert len({each["id"] for page in found for each in page}) == ROWS


async def test_a_page_of_large_changes_ends_early(shop: Merchant, ticket: dict[str, Any]) -> None:
    found = await pages(shop.lars, f"/tickets/{ticket['id']}/events?limit=100")
    edits = [each for page in found for each in page if each["kind"] == "ticket.edited"]
    assert len(edits) == ROWS
    assert [len(page) for page in found[1:]] == [4]


async def test_the_number_of_rows_still_ends_a_page(shop: Merchant, ticket: dict[str, Any]) -> None:
    found = await pages(shop.lars, f"/tickets/{ticket['id']}/messages?limit=3")
    assert [len(page) for page in found] == [3, 3, 2]


async def test_an_exact_last_page_has_no_next_one(shop: Merchant, ticket: dict[str, Any]) -> None:
    first = (await shop.lars.get(f"/tickets/{ticket['id']}/messages", params={"limit": 4})).json()
    assert first["page"]["hasMore"] is True
    last = (await shop.lars.get(f"/tickets/{ticket['id']}/messages", params={"limit": 4, "after": first["page"]["next"]})).json()
    assert (len(last["data"]), last["page"]) == (4, {"hasMore": False, "next": None})


async def test_a_page_of_tickets_ends_early_with_their_texts(whole_desk: Desk) -> None:
    shop = await whole_desk.merchant("long")
    for _ in range(6):
        await shop.open(description="d" * 100_000, customFields={"text": "y" * 60_000})
        await shop.open(description="é" * 100_000)
    with_texts = await pages(shop.lars, "/tickets?include=description&limit=100")
    without = await pages(shop.lars, "/tickets?limit=100")
    assert [len(page) for page in with_texts] == [6, 6]
    assert [len(page) for page in without] == [12]
    assert [each["id"] for page in with_texts for each in page] == [each["id"] for each in without[0]]


@pytest.mark.parametrize("path", ["/calendars", "/calendars/{}/versions"])
async def test_a_page_of_large_definitions_ends_early(path: str, whole_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await whole_desk.merchant("plans")
    calendar = (await shop.adam.get("/calendars")).json()["data"][0]
    plan = {name: calendar[name] for name in ("name", "timeZone", "weekly", "holidays")}
    for n in range(3):
        for made in ("/calendars", f"/calendars/{calendar['id']}/versions"):
            response = await shop.adam.post(made, json=plan | {"name": f"{made} {n}"})
            assert response.status_code == 201, response.text
    at_once = await pages(shop.adam, path.format(calendar["id"]))
    monkeypatch.setattr(pagination, "MAX_BYTES", 1)
    one_by_one = await pages(shop.adam, path.format(calendar["id"]))
    assert [len(page) for page in one_by_one] == [1] * len(at_once[0])
    assert [each for page in one_by_one for each in page] == at_once[0]


async def test_a_page_is_summed_up_once_also_where_the_planner_knows_nothing_of_the_rows(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    for _ in range(20):
        await acme.open(category="general")
    with statements(desk) as said:
        await acme.ana.get("/tickets")
    [(statement, values)] = [each for each in said if "reached" in each.statement]
    async with desk.database.reading(acme.id) as session:
        plan = await session.driver.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    assert set(re.findall(r'"Actual Loops": (\d+)', json.dumps(plan))) <= {"0", "1"}, plan
