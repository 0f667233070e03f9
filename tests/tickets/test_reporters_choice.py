"""What a reporter may decide of a ticket: nothing that moves its SLA beyond what the merchant allows."""

from typing import Any

import pytest

from tests.support.desk import Merchant

TICKET = {"subject": "s", "description": "d", "category": "general"}
OF_STAFF: list[dict[str, Any]] = [
    {"tags": ["vip"]},
    {"customFields": {"contract": "gold"}},
    {"channel": "phone"},
    {"organizerId": "77"},
    {"reporter": {"name": "Rob", "email": "rob@customer.example"}},
]


@pytest.mark.parametrize("fields", OF_STAFF, ids=lambda fields: next(iter(fields)))
async def test_what_is_the_staffs_is_refused_to_a_reporter(fields: dict[str, Any], resting: Merchant) -> None:
    refused = await resting.rita.post("/tickets", json=TICKET | fields)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await resting.ana.post("/tickets", json=TICKET | fields)).status_code == 201


async def test_the_refusal_names_all_that_is_to_be_left_out(resting: Merchant) -> None:
    refused = await resting.rita.post("/tickets", json=TICKET | {"tags": ["vip"], "customFields": {"a": 1}})
    assert refused.json()["detail"] == "Only the staff decides on tags, customFields: leave it out."


async def test_what_decides_nothing_may_be_sent(resting: Merchant) -> None:
    """A generated client sends the defaults as well."""
    plain: dict[str, Any] = {"tags": [], "customFields": {}, "channel": "api", "organizerId": None, "reporter": None, "priority": "normal"}
    assert (await resting.rita.post("/tickets", json=TICKET | plain)).status_code == 201


async def test_an_organizer_of_their_token_is_theirs_to_name(resting: Merchant) -> None:
    otto = resting.client("otto", "reporter", organizer_ids=("77",))
    answers = [await otto.post("/tickets", json=TICKET | {"organizerId": each}) for each in ("77", None, "78")]
    assert [each.status_code for each in answers] == [201, 201, 403]


async def test_a_priority_up_to_the_merchants_limit(resting: Merchant) -> None:
    answers = {each: await resting.rita.post("/tickets", json=TICKET | {"priority": each}) for each in ("low", "high", "urgent")}
    assert {each: answer.status_code for each, answer in answers.items()} == {"low": 201, "high": 201, "urgent": 403}
    assert answers["urgent"].json()["detail"] == "A reporter's ticket has at most the priority high: leave it out, or ask the staff."


@pytest.mark.parametrize(("limit", "priority"), [("low", "low"), ("normal", "normal"), ("urgent", "urgent")])
async def test_the_merchant_sets_the_limit(limit: str, priority: str, resting: Merchant) -> None:
    edited = await resting.adam.patch(f"/merchants/{resting.id}", json={"reporterPriorityLimit": limit}, headers={"If-Match": "*"})
    assert edited.json()["reporterPriorityLimit"] == limit
    assert (await resting.open(category="general"))["priority"] == ("low" if limit == "low" else "normal")
    assert (await resting.rita.post("/tickets", json=TICKET | {"priority": priority})).status_code == 201
    above = {"low": "normal", "normal": "high"}.get(limit)
    assert above is None or (await resting.rita.post("/tickets", json=TICKET | {"priority": above})).status_code == 403


async def test_a_follow_up_keeps_what_the_staff_decided(resting: Merchant) -> None:
    ticket = await resting.open(category="general", priority="urgent", tags=["vip"], organizerId="77")
    await resting.ana.post(f"/tickets/{ticket['id']}/close")
    reply = await resting.rita.post(f"/tickets/{ticket['id']}/messages", json={"body": "Again."})
    seen = await resting.get(reply.json()["ticketId"])
    assert (seen["followUpOfId"], seen["priority"], seen["tags"], seen["organizerId"]) == (ticket["id"], "urgent", ["vip"], "77")
