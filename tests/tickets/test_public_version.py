"""A reporter's version of a ticket moves with what they see of it, and with nothing else."""

from typing import Any

import pytest

from api.tickets.requests import EditTicket
from api.tickets.responses import ReporterTicketResponse
from models.tickets.aggregate import SEEN_BY_REPORTER
from tests.support.desk import Desk, Merchant

NEVER_CHANGES = {"id", "number", "merchant_id", "reporter", "created_at"}
OUT_OF_SIGHT = [
    ("notes", {"body": "They are right."}),
    ("escalate", {"reason": "It burns."}),
    ("unassign", None),
    ("claim", None),
    ("assign", None),
]
IN_SIGHT = [("messages", {"body": "Look."}), ("pending", None), ("resume", None), ("resolve", None), ("reopen", None), ("close", None)]


async def _as_rita_sees_it(merchant: Merchant, ticket_id: str) -> tuple[str, dict[str, Any]]:
    response = await merchant.rita.get(f"/tickets/{ticket_id}")
    return response.headers["ETag"], response.json()


async def _do(merchant: Merchant, ticket_id: str, verb: str, body: Any) -> None:
    """As Ana."""
    body = {"agentId": str(merchant.agents["leo"])} if verb == "assign" else body
    response = await merchant.ana.post(f"/tickets/{ticket_id}/{verb}", json=body)
    assert response.is_success, response.text


@pytest.fixture
async def opened(ticket: dict[str, Any], resting: Merchant) -> str:
    """A ticket whose status an assignment does not change any more."""
    await _do(resting, ticket["id"], "assign", None)
    return str(ticket["id"])


def test_all_that_a_reporter_is_shown_is_watched() -> None:
    assert set(SEEN_BY_REPORTER) | NEVER_CHANGES | {"version", "updated_at"} == set(ReporterTicketResponse.model_fields)
    assert set(EditTicket.model_fields) <= set(SEEN_BY_REPORTER)


async def test_what_they_do_not_see_moves_nothing_of_theirs(opened: str, resting: Merchant) -> None:
    before, version = await _as_rita_sees_it(resting, opened), (await resting.get(opened))["version"]
    for verb, body in OUT_OF_SIGHT:
        await _do(resting, opened, verb, body)
        assert await _as_rita_sees_it(resting, opened) == before, verb
        version, last = (await resting.get(opened))["version"], version
        assert version > last, verb


async def test_what_they_see_moves_it(opened: str, resting: Merchant) -> None:
    tag, seen = await _as_rita_sees_it(resting, opened)
    for verb, body in IN_SIGHT:
        await _do(resting, opened, verb, body)
        (tag, seen), (last_tag, last) = await _as_rita_sees_it(resting, opened), (tag, seen)
        assert (tag != last_tag, seen["version"], seen["updatedAt"] > last["updatedAt"]) == (True, last["version"] + 1, True), verb


EDITS = [{"priority": "low"}, {"tags": ["till"]}, {"customFields": {"a": 1}}, {"customFields": {"a": True}}, {"subject": "Two tills"}]


async def test_each_edit_moves_it(opened: str, resting: Merchant) -> None:
    for edit in EDITS:
        tag, _ = await _as_rita_sees_it(resting, opened)
        assert (await resting.ana.patch(f"/tickets/{opened}", json=edit, headers={"If-Match": "*"})).status_code == 200
        assert (await _as_rita_sees_it(resting, opened))[0] != tag, edit


async def test_a_first_assignment_is_seen_by_its_status(ticket: dict[str, Any], resting: Merchant) -> None:
    await _do(resting, ticket["id"], "assign", None)
    _, seen = await _as_rita_sees_it(resting, ticket["id"])
    assert (seen["status"], seen["version"]) == ("open", ticket["version"] + 1)


async def test_a_reporters_tag_is_compared_with_their_version(opened: str, resting: Merchant) -> None:
    tag, seen = await _as_rita_sees_it(resting, opened)
    await _do(resting, opened, "notes", {"body": "They are right."})
    path, headers = f"/tickets/{opened}/resolve", {"If-Match": f'"{(await resting.get(opened))["version"]}"'}
    stale = await resting.rita.post(path, headers=headers)
    assert (stale.status_code, stale.json()["current"]) == (412, seen)
    resolved = await resting.rita.post(path, headers={"If-Match": tag})
    assert (resolved.status_code, resolved.headers["ETag"]) == (200, f'"{seen["version"] + 1}"')


async def test_a_reporters_lists_go_by_what_they_see(desk: Desk, resting: Merchant) -> None:
    first, second = [await resting.open(category="general", subject=str(n)) for n in range(2)]
    await _do(resting, first["id"], "notes", {"body": "They are right."})
    newest = {"sort": "-updatedAt", "limit": 1}
    assert [each["id"] for each in await _list(resting.rita, newest)] == [second["id"]]
    assert [each["id"] for each in await _list(resting.lars, newest)] == [first["id"]]
    since = {"updatedSince": second["updatedAt"]}
    assert [each["id"] for each in await _list(resting.rita, since)] == [second["id"]]
    assert {each["id"] for each in await _list(resting.lars, since)} == {first["id"], second["id"]}


async def test_a_reporters_pages_go_on_where_they_ended(resting: Merchant) -> None:
    opened = [await resting.open(category="general", subject=str(n)) for n in range(4)]
    await _do(resting, opened[0]["id"], "notes", {"body": "They are right."})
    query: dict[str, Any] = {"sort": "updatedAt", "limit": 1}
    found = []
    for _ in opened:
        page = (await resting.rita.get("/tickets", params=query)).json()
        found += [each["id"] for each in page["data"]]
        query["after"] = page["page"]["next"]
    assert query["after"] is None
    assert found == [each["id"] for each in opened]


async def _list(client: Any, query: dict[str, Any]) -> list[dict[str, Any]]:
    response = await client.get("/tickets", params=query)
    assert response.status_code == 200, response.text
    return list(response.json()["data"])
