"""Finding tickets: filters, orders, pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.desk import Desk, Merchant

PRIORITIES = ("low", "urgent", "normal", "high")
FAR_AND_LONG_AGO, FAR_AHEAD = "2001-01-01T00:00:00Z", "2101-01-01T00:00:00+01:00"


class Shelf(NamedTuple):
    """A merchant with nine tickets that differ in everything that lists can tell apart; nobody changes them."""

    merchant: Merchant
    tickets: list[dict[str, Any]]

    async def find(self, client: httpx.AsyncClient | None = None, **params: Any) -> list[int]:
        """The places of what was found, in the order in which it was found."""
        response = await (client or self.merchant.lars).get("/tickets", params=params)
        assert response.status_code == 200, response.text
        places = {ticket["id"]: place for place, ticket in enumerate(self.tickets)}
        return [places[found["id"]] for found in response.json()["data"]]


@pytest.fixture(scope="module")
async def shelf(whole_desk: Desk) -> Shelf:
    acme = await whole_desk.merchant("acme")
    away = [acme.adam.put(f"/agents/{agent_id}/availability", json={"state": "away"}) for agent_id in acme.agents.values()]
    await asyncio.gather(*away)
    tickets = [await _nth(acme, n) for n in range(9)]
    verbs = {1: "claim", 2: "claim", 3: "hold", 4: "resolve", 5: "close", 6: "escalate", 7: "pending"}
    for n, verb in verbs.items():
        body = {"reason": "It burns.", "level": 2} if verb == "escalate" else None
        response = await acme.ana.post(f"/tickets/{tickets[n]['id']}/{verb}", json=body)
        assert response.status_code == 200, response.text
    return Shelf(acme, [await acme.get(ticket["id"]) for ticket in tickets])


async def _nth(acme: Merchant, n: int) -> dict[str, Any]:
    return await acme.open(
        subject=f"Till number {n} is stuck" if n % 2 else f"Kasse {n} klemmt",
        category="billing" if n < 3 else "general",
        priority=PRIORITIES[n % 4],
        tags=[f"t{n}", "odd" if n % 2 else "even"],
        organizerId=str(70 + n % 2),
    )


FILTERS: list[tuple[dict[str, Any], set[int]]] = [
    ({}, set(range(9))),
    ({"status": "new"}, {0, 6, 8}),
    ({"status": "new,on_hold"}, {0, 3, 6, 8}),
    ({"status": ["new", "on_hold"]}, {0, 3, 6, 8}),
    ({"status": "open"}, {1, 2}),
    ({"status": "closed"}, {5}),
    ({"priority": "urgent"}, {1, 5}),
    ({"priority": "low,high"}, {0, 3, 4, 7, 8}),
    ({"category": "billing"}, {0, 1, 2}),
    ({"category": "nope"}, set()),
    ({"assigneeId": "none"}, {0, 3, 4, 5, 6, 7, 8}),
    ({"tag": "odd"}, {1, 3, 5, 7}),
    ({"tag": "odd,t3"}, {3}),
    ({"organizerId": "71"}, {1, 3, 5, 7}),
    ({"organizerId": "72"}, set()),
    ({"slaStatus": "running"}, {0, 1, 2, 3, 6, 7, 8}),
    ({"slaStatus": "none"}, {5}),
    ({"slaStatus": "breached"}, set()),
    ({"escalationLevel": 2}, {6}),
    ({"escalationLevel": 0}, {0, 1, 2, 3, 4, 5, 7, 8}),
    ({"createdSince": FAR_AND_LONG_AGO}, set(range(9))),
    ({"createdSince": FAR_AHEAD}, set()),
    ({"updatedSince": FAR_AHEAD}, set()),
    ({"q": "till"}, {1, 3, 5, 7}),
    ({"q": "KASSE"}, {0, 2, 4, 6, 8}),
    ({"q": "till -stuck"}, set()),
    ({"q": '"number 3"'}, {3}),
    ({"q": "till or kasse"}, set(range(9))),
    ({"q": "morning"}, set(range(9))),
    ({"status": "new,open", "priority": "low", "tag": "even"}, {0, 8}),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[str(filters) for filters, _ in FILTERS])
async def test_a_filter_finds_what_it_names_and_count_agrees(filters: dict[str, Any], expected: set[int], shelf: Shelf) -> None:
    assert set(await shelf.find(**filters)) == expected
    counted = await shelf.merchant.lars.get("/tickets/count", params=filters)
    assert counted.json() == {"count": len(expected), "capped": False}


async def test_me_is_the_agent_who_asks(shelf: Shelf) -> None:
    assert set(await shelf.find(shelf.merchant.ana, assigneeId="me")) == {1, 2}
    assert set(await shelf.find(shelf.merchant.leo, assigneeId="me")) == set()
    assert set(await shelf.find(shelf.merchant.adam, assigneeId="me")) == set()


@pytest.mark.parametrize("name", ["assigneeId", "teamId", "reporterId"])
async def test_people_are_named_by_their_ids(name: str, shelf: Shelf) -> None:
    ticket = shelf.tickets[1] | {"reporterId": shelf.tickets[1]["reporter"]["id"]}
    someone, nobody = ({name: value} for value in (ticket[name], "9223372036854775807"))
    assert 1 in await shelf.find(shelf.merchant.lars, **someone)
    assert await shelf.find(shelf.merchant.lars, **nobody) == []


async def test_an_instant_is_the_first_that_counts(shelf: Shelf) -> None:
    assert set(await shelf.find(createdSince=shelf.tickets[4]["createdAt"])) == {4, 5, 6, 7, 8}


async def test_a_reporter_finds_his_own_with_the_same_filters(shelf: Shelf) -> None:
    assert set(await shelf.find(shelf.merchant.rita, tag="odd")) == {1, 3, 5, 7}
    assert await shelf.find(shelf.merchant.client("rudi", "reporter"), tag="odd") == []


def _key(ticket: dict[str, Any], name: str) -> Any:
    value = ["low", "normal", "high", "urgent"].index(ticket["priority"]) if name == "priority" else ticket[name]
    return value, int(ticket["id"])


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 100])
@pytest.mark.parametrize("sort", ["createdAt", "updatedAt", "nextDueAt", "priority", "-createdAt", "-updatedAt", "-nextDueAt", "-priority"])
async def test_pages_of_any_size_hold_every_row_once_in_order(sort: str, limit: int, shelf: Shelf) -> None:
    name = sort.lstrip("-")
    dated = [ticket for ticket in shelf.tickets if ticket[name] is not None]
    ordered = sorted(dated, key=lambda ticket: _key(ticket, name), reverse=sort.startswith("-"))
    undated = sorted((t for t in shelf.tickets if t[name] is None), key=lambda t: int(t["id"]), reverse=sort.startswith("-"))
    assert [t["number"] async for t in _all_pages(shelf.merchant, sort=sort, limit=limit)] == [t["number"] for t in ordered + undated]


async def _all_pages(merchant: Merchant, **params: Any) -> AsyncIterator[dict[str, Any]]:
    while True:
        page = (await merchant.lars.get("/tickets", params=params)).json()
        for ticket in page["data"]:
            yield ticket
        assert page["page"]["hasMore"] == (page["page"]["next"] is not None)
        if not page["page"]["hasMore"]:
            return
        params["after"] = page["page"]["next"]


async def test_what_comes_in_meanwhile_neither_hides_nor_repeats_a_row(resting: Merchant) -> None:
    before = [await resting.open(category="general", priority=PRIORITIES[n % 4]) for n in range(6)]
    for sort in ("createdAt", "-createdAt", "priority", "-priority"):
        seen = []
        async for ticket in _all_pages(resting, sort=sort, limit=2):
            seen.append(ticket["id"])
            if len(seen) % 2 and len(seen) < 6:
                await resting.open(category="general")
        assert len(seen) == len(set(seen)), sort
        assert {ticket["id"] for ticket in before} <= set(seen), sort


async def test_the_link_header_leads_through_all_pages(desk: Desk, shelf: Shelf) -> None:
    root = desk.client_with(shelf.merchant.lars.headers["Authorization"].removeprefix("Bearer "), base="")
    url, seen = "/v1/api/helpdesk/tickets?limit=2&status=new,open,pending&status=on_hold,resolved,closed&tag=odd", []
    while url:
        response = await root.get(url)
        seen += [ticket["number"] for ticket in response.json()["data"]]
        url = response.links.get("next", {}).get("url", "")
    assert sorted(seen) == [2, 4, 6, 8]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "", "99999999999999999999"])
@pytest.mark.parametrize("path", ["/tickets", "/agents", "/tickets/{}/messages", "/tickets/{}/events"])
async def test_a_limit_has_its_bounds(path: str, limit: str, shelf: Shelf) -> None:
    response = await shelf.merchant.lars.get(path.format(shelf.tickets[0]["id"]), params={"limit": limit})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/query/limit")


@pytest.mark.parametrize("after", ["x", "e30.abc", "' or 1=1 --", "%00", "\x00", "é" * 100, "W10.W10"])
async def test_a_cursor_that_was_not_given_is_refused(after: str, shelf: Shelf) -> None:
    for path in ("/tickets", "/agents", f"/tickets/{shelf.tickets[0]['id']}/events"):
        response = await shelf.merchant.lars.get(path, params={"after": after})
        assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "invalid_cursor")


async def test_a_cursor_is_good_for_its_own_question_only(shelf: Shelf) -> None:
    after = (await shelf.merchant.lars.get("/tickets", params={"limit": 2, "sort": "priority"})).json()["page"]["next"]
    same = await shelf.merchant.lars.get("/tickets", params={"limit": 7, "sort": "priority", "after": after})
    assert same.status_code == 200
    for other in ({"sort": "createdAt"}, {"sort": "priority", "tag": "odd"}, {}):
        assert (await shelf.merchant.lars.get("/tickets", params=other | {"after": after})).status_code == 422


@pytest.mark.parametrize("part", ["events", "messages", "notes", "notifications", "escalations"])
async def test_the_lists_of_a_ticket_have_pages_too(part: str, shelf: Shelf) -> None:
    ticket = await shelf.merchant.open(category="general")
    path = f"/tickets/{ticket['id']}"
    for n in range(3):
        await shelf.merchant.ana.post(f"{path}/messages", json={"body": f"{n}"})
        await shelf.merchant.ana.post(f"{path}/notes", json={"body": f"{n}"})
        await shelf.merchant.ana.post(f"{path}/escalate", json={"reason": f"{n}"})
    await shelf.merchant.lars.delete(path)
    client, whole = shelf.merchant.adam, (await shelf.merchant.adam.get(f"{path}/{part}")).json()["data"]
    first = (await client.get(f"{path}/{part}", params={"limit": 2})).json()
    rest = (await client.get(f"{path}/{part}", params={"limit": 100, "after": first["page"]["next"]})).json()
    assert [row["id"] for row in first["data"] + rest["data"]] == [row["id"] for row in whole]
    assert len(whole) >= 3
