"""Open, see and edit a ticket."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from models.tickets.tables import Event
from tests.support.desk import Desk, Merchant

WHOLE: dict[str, Any] = {
    "subject": "The till does not open",
    "description": "Since this morning.\nNothing helps. 🙈",
    "priority": "high",
    "category": "billing",
    "organizerId": "9007199254740993",
    "channel": "phone",
    "tags": ["till", "hardware"],
    "customFields": {"shop": {"floor": 2, "open": None}, "größe": [1, "zwei"]},
}
AGENTS_ONLY = {"assigneeId", "teamId", "escalationLevel", "nextDueAt", "slaStatus", "deletedAt"}


async def test_what_was_sent_comes_back(acme: Merchant) -> None:
    response = await acme.lars.post("/tickets", json=WHOLE)
    ticket = response.json()
    assert response.status_code == 201
    assert {name: ticket[name] for name in WHOLE} == WHOLE | {"tags": ["hardware", "till"]}
    assert (ticket["status"], ticket["number"], ticket["merchantId"]) == ("new", 1, str(acme.id))
    assert response.headers["Location"] == f"/v1/api/helpdesk/tickets/{ticket['id']}"
    assert response.headers["ETag"] == f'"{ticket["version"]}"'


async def test_what_is_left_out_has_a_plain_default(resting: Merchant) -> None:
    response = await resting.ana.post("/tickets", json={"subject": "s", "description": "d"})
    ticket = response.json()
    assert [ticket[name] for name in ("priority", "category", "channel", "tags", "customFields", "organizerId")] == [
        "normal", "general", "api", [], {}, None,
    ]  # fmt: skip
    assert (ticket["slaStatus"], ticket["escalationLevel"], ticket["assigneeId"]) == ("running", 0, None)


async def test_ids_are_strings_and_instants_are_in_utc_with_z(ticket: dict[str, Any], resting: Merchant) -> None:
    seen = await resting.get(ticket["id"])
    assert all(isinstance(seen[name], str) for name in ("id", "merchantId", "teamId"))
    assert all(seen[name].endswith("Z") for name in ("createdAt", "updatedAt", "nextDueAt"))
    assert "." not in seen["nextDueAt"] or seen["nextDueAt"].count(":") == 2


async def test_a_reporter_gets_no_field_that_only_agents_see(ticket: dict[str, Any], resting: Merchant) -> None:
    seen = (await resting.rita.get(f"/tickets/{ticket['id']}")).json()
    listed = (await resting.rita.get("/tickets")).json()["data"][0]
    assert seen.keys() == listed.keys() | {"description"} == ticket.keys()
    assert AGENTS_ONLY.isdisjoint(seen)
    assert (await resting.get(ticket["id"])).keys() >= AGENTS_ONLY


async def test_numbers_are_small_and_nobody_shares_one(resting: Merchant) -> None:
    opened = await asyncio.gather(*(resting.open(category="general", subject=f"{n}") for n in range(8)))
    assert sorted(ticket["number"] for ticket in opened) == list(range(1, 9))


async def test_an_agent_opens_for_somebody_whom_he_names(resting: Merchant) -> None:
    somebody = {"name": "Rob", "email": "rob@customer.example"}
    body = {"subject": "s", "description": "d", "category": "general", "reporter": somebody}
    first, second = [(await resting.ana.post("/tickets", json=body)).json() for _ in range(2)]
    assert {name: first["reporter"][name] for name in somebody} == somebody
    assert first["reporter"]["id"] == second["reporter"]["id"]


async def test_who_was_named_sees_the_ticket_once_he_comes_himself(resting: Merchant) -> None:
    somebody = {"name": "Rob", "email": "rob@customer.example"}
    opened = await resting.ana.post("/tickets", json={"subject": "s", "description": "d", "reporter": somebody})
    rob = resting.client("rob", "reporter", email="Rob@customer.example")
    await rob.post("/tickets", json={"subject": "mine", "description": "d"})
    assert (await rob.get(f"/tickets/{opened.json()['id']}")).status_code == 200


async def test_a_reporter_opens_for_himself_only(acme: Merchant) -> None:
    body = {"subject": "s", "description": "d", "reporter": {"name": "Rob", "email": "rob@customer.example"}}
    assert (await acme.rita.post("/tickets", json=body)).status_code == 403


async def test_a_category_that_the_merchant_does_not_have_is_named(acme: Merchant) -> None:
    response = await acme.rita.post("/tickets", json={"subject": "s", "description": "d", "category": "nope"})
    detail = "There is no such category. There are: billing, demo-fast, general."
    assert response.json()["errors"] == [{"pointer": "/category", "code": "unknown_category", "detail": detail}]


async def test_a_refused_ticket_leaves_nothing_behind(acme: Merchant) -> None:
    await acme.rita.post("/tickets", json={"subject": "s", "description": "d", "category": "nope"})
    assert (await acme.lars.get("/tickets/count")).json() == {"count": 0, "capped": False}


async def test_an_edit_changes_what_it_names_and_nothing_else(ticket: dict[str, Any], resting: Merchant) -> None:
    path, edit = f"/tickets/{ticket['id']}", {"subject": "Two tills", "priority": "urgent", "tags": ["b", "a", "b"]}
    response = await resting.ana.patch(path, json=edit, headers={"If-Match": "*"})
    before, after = ticket, response.json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"subject", "priority", "tags", "updatedAt", "version"}
    assert after["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("patches", "code"),
    [([{f"{n}-{m}": n for n in range(60)} for m in range(2)], "too_long"), ([{m: "x" * 40_000} for m in "ab"], "too_large")],
)
async def test_custom_fields_have_their_bounds_however_many_edits_they_come_in(patches: list[Any], code: str, resting: Merchant) -> None:
    path = f"/tickets/{(await resting.open(category='general'))['id']}"
    answers = [await resting.ana.patch(path, json={"customFields": patch}, headers={"If-Match": "*"}) for patch in patches]
    assert [response.status_code for response in answers] == [200, 422]
    assert [(error["pointer"], error["code"]) for error in answers[1].json()["errors"]] == [("/customFields", code)]
    assert (await resting.ana.get(path)).json()["customFields"] == patches[0]


async def test_an_edit_is_a_merge_patch_of_custom_fields(resting: Merchant) -> None:
    ticket = await resting.open(category="general", customFields={"a": 1, "b": {"c": 2, "d": 3}})
    edit: dict[str, Any] = {"customFields": {"a": None, "b": {"d": 4}, "e": []}}
    response = await resting.ana.patch(f"/tickets/{ticket['id']}", json=edit, headers={"If-Match": "*"})
    assert response.json()["customFields"] == {"b": {"c": 2, "d": 4}, "e": []}


async def test_an_edit_of_nothing_changes_no_version(ticket: dict[str, Any], resting: Merchant) -> None:
    path = f"/tickets/{ticket['id']}"
    before = (await resting.ana.get(path)).json()
    edits: list[dict[str, str]] = [{}, {"subject": before["subject"]}]
    for edit in edits:
        response = await resting.ana.patch(path, json=edit, headers={"If-Match": "*"})
        assert response.json() == before


@pytest.mark.parametrize("edit", [{"subject": None}, {"priority": None}, {"category": None}, {"subject": ""}, {"category": "nope"}])
async def test_what_must_be_there_can_not_be_taken_away(edit: dict[str, Any], ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.ana.patch(f"/tickets/{ticket['id']}", json=edit, headers={"If-Match": "*"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(edit))}")


async def test_a_closed_ticket_is_not_edited(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/close")
    response = await resting.ana.patch(f"/tickets/{ticket['id']}", json={"subject": "s"}, headers={"If-Match": "*"})
    assert (response.status_code, response.json()["code"]) == (409, "ticket_is_closed")


async def test_the_audit_tells_who_changed_what_without_gaps(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.patch(f"/tickets/{ticket['id']}", json={"subject": "New"}, headers={"If-Match": "*"})
    await resting.ana.post(f"/tickets/{ticket['id']}/hold", json={"reason": "parts are ordered"})
    events = (await resting.get(ticket["id"], "/events"))["data"]
    assert [(e["sequence"], e["actor"]["name"], e["kind"]) for e in events] == [
        (1, "Rita", "ticket.opened"), (2, "Ana", "ticket.edited"), (3, "Ana", "ticket.held"),
    ]  # fmt: skip
    assert events[1]["changes"] == {"subject": ["The till does not open", "New"]}


async def test_me_says_who_i_am(acme: Merchant) -> None:
    ana, rita = (await acme.ana.get("/me")).json(), (await acme.rita.get("/me")).json()
    assert (ana["agentId"], ana["merchantId"], ana["roles"]) == (str(acme.agents["ana"]), str(acme.id), ["agent"])
    assert (rita["agentId"], rita["email"]) == (None, f"rita-{acme.id}@customer.example")


async def test_the_request_id_goes_into_the_audit(desk: Desk, acme: Merchant) -> None:
    await acme.rita.post("/tickets", json={"subject": "s", "description": "d"}, headers={"X-Request-Id": "till-7"})
    async with desk.database.reading(acme.id) as session:
        assert "till-7" in (await session.execute(sa.select(Event.request_id))).scalars().all()  # type: ignore[call-overload]
