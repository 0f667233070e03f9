"""The lifecycle over HTTP: every verb from every state."""

from typing import Any

import pytest

from models.tickets.lifecycle import ALLOWED, TARGET, Status, Transition, allowed_from, is_allowed
from tests.support.desk import Merchant

TO = {
    Status.NEW: (), Status.OPEN: ("hold", "resume"), Status.PENDING: ("pending",), Status.ON_HOLD: ("hold",),
    Status.RESOLVED: ("resolve",), Status.CLOSED: ("close",),
}  # fmt: skip
"""The verbs that bring a new ticket into a state."""


async def _in(status: Status, merchant: Merchant) -> str:
    ticket_id = str((await merchant.open(category="general"))["id"])
    for verb in TO[status]:
        assert (await merchant.ana.post(f"/tickets/{ticket_id}/{verb}")).status_code == 200
    return ticket_id


@pytest.mark.parametrize("status", Status)
async def test_each_verb_does_as_the_table_of_the_lifecycle_says(status: Status, resting: Merchant) -> None:
    for move in Transition:
        ticket_id = await _in(status, resting)
        response = await resting.ana.post(f"/tickets/{ticket_id}/{move}")
        if is_allowed(move, status):
            assert (response.status_code, response.json()["status"]) == (200, TARGET[move]), move
        else:
            assert (response.status_code, response.json()["code"]) == (409, "illegal_move"), move
            assert response.json()["allowedTransitions"] == allowed_from(status), move


async def test_an_illegal_move_changes_nothing(resting: Merchant) -> None:
    ticket_id = await _in(Status.CLOSED, resting)
    before = await resting.get(ticket_id)
    assert (await resting.ana.post(f"/tickets/{ticket_id}/resolve")).status_code == 409
    assert await resting.get(ticket_id) == before
    assert not ALLOWED[Status.CLOSED]


async def test_a_reason_is_kept_in_the_audit(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/hold", json={"reason": "parts are ordered"})
    last = (await resting.get(ticket["id"], "/events"))["data"][-1]
    assert (last["kind"], last["changes"]) == ("ticket.held", {"status": ["new", "on_hold"], "reason": "parts are ordered"})


async def test_the_resolution_clock_stands_still_while_the_ticket_waits(ticket: dict[str, Any], resting: Merchant) -> None:
    seen = {}
    for verb in ("pending", "hold", "resume", "resolve", "reopen", "close"):
        await resting.ana.post(f"/tickets/{ticket['id']}/{verb}")
        cycles = (await resting.get(ticket["id"], "/sla"))["data"]
        seen[verb] = next(cycle["status"] for cycle in cycles if cycle["metric"] == "resolution")
    assert seen == {
        "pending": "paused", "hold": "paused", "resume": "running", "resolve": "achieved", "reopen": "running", "close": "cancelled",
    }  # fmt: skip


async def test_resolving_and_closing_leave_their_instants(ticket: dict[str, Any], resting: Merchant) -> None:
    resolved = (await resting.rita.post(f"/tickets/{ticket['id']}/resolve")).json()
    reopened = (await resting.rita.post(f"/tickets/{ticket['id']}/reopen")).json()
    closed = (await resting.rita.post(f"/tickets/{ticket['id']}/close")).json()
    assert (bool(resolved["resolvedAt"]), reopened["resolvedAt"], bool(closed["closedAt"])) == (True, None, True)


@pytest.mark.parametrize("body", [{"reason": ""}, {"reason": 7}, {"why": "x"}, [], "x", {"reason": "x" * 2001}])
async def test_a_reason_is_a_text_of_some_length(body: Any, ticket: dict[str, Any], resting: Merchant) -> None:
    assert (await resting.ana.post(f"/tickets/{ticket['id']}/hold", json=body)).status_code == 422


async def test_by_hand_one_escalates_up_to_the_top(ticket: dict[str, Any], resting: Merchant) -> None:
    path = f"/tickets/{ticket['id']}/escalate"
    answers = [await resting.ana.post(path, json={"reason": "It burns."}) for _ in range(4)]
    assert [response.status_code for response in answers] == [200, 200, 200, 409]
    levels = [each["level"] for each in (await resting.get(ticket["id"], "/escalations"))["data"]]
    assert (levels, answers[3].json()["code"]) == ([1, 2, 3], "already_escalated")


async def test_without_an_escalation_there_is_none_to_acknowledge(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.ana.post(f"/tickets/{ticket['id']}/acknowledge")
    assert (response.status_code, response.json()["code"]) == (409, "not_escalated")


async def test_who_acknowledged_is_noted_once(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/escalate", json={"reason": "It burns."})
    for client in (resting.ana, resting.leo):
        assert (await client.post(f"/tickets/{ticket['id']}/acknowledge")).status_code == 200
    escalation = (await resting.get(ticket["id"], "/escalations"))["data"][0]
    assert (escalation["acknowledgedBy"], escalation["cause"]) == (str(resting.agents["ana"]), "manual")


@pytest.mark.parametrize("verb", ["escalate", "assign", "claim"])
async def test_a_finished_ticket_is_given_to_nobody(verb: str, ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/resolve")
    bodies = {"escalate": {"reason": "x"}, "assign": {"agentId": str(resting.agents["leo"])}}
    response = await resting.ana.post(f"/tickets/{ticket['id']}/{verb}", json=bodies.get(verb))
    assert (response.status_code, response.json()["code"]) == (409, "ticket_is_finished")
