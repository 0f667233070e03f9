"""Who has a ticket: given, claimed, handed back, taken from the queue."""

import asyncio
from typing import Any

import pytest

from tests.support.desk import Merchant


async def _assign(merchant: Merchant, ticket: dict[str, Any], **to: Any) -> Any:
    return await merchant.lars.post(f"/tickets/{ticket['id']}/assign", json=to)


async def test_a_lead_gives_a_ticket_to_an_agent_who_is_away(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await _assign(resting, ticket, agentId=str(resting.agents["leo"]))
    assert (response.json()["assigneeId"], response.json()["status"]) == (str(resting.agents["leo"]), "open")


async def test_the_old_and_the_new_owner_are_told(ticket: dict[str, Any], resting: Merchant) -> None:
    await _assign(resting, ticket, agentId=str(resting.agents["leo"]))
    await _assign(resting, ticket, agentId=str(resting.agents["ana"]))
    notifications = (await resting.get(ticket["id"], "/notifications"))["data"]
    told = [(each["kind"], each["recipient"]["name"]) for each in notifications if "assigned" in each["kind"]]
    assert told == [("ticket_assigned", "Leo"), ("ticket_assigned", "Ana"), ("ticket_unassigned", "Leo")]


async def test_to_give_it_to_who_has_it_changes_nothing(ticket: dict[str, Any], resting: Merchant) -> None:
    first, second = [await _assign(resting, ticket, agentId=str(resting.agents["leo"])) for _ in range(2)]
    assert first.json() == second.json()


NOT_ONE_WAY = [{}, {"agentId": "1", "auto": True}, {"agentId": None}, {"auto": False}, {"agentId": 7}, {"agentId": "-1"}]


@pytest.mark.parametrize("body", NOT_ONE_WAY)
async def test_exactly_one_way_of_assigning_has_to_be_named(body: dict[str, Any], ticket: dict[str, Any], resting: Merchant) -> None:
    assert (await _assign(resting, ticket, **body)).status_code == 422


@pytest.mark.parametrize(("named", "code"), [({"agentId": "77"}, "unknown_agent"), ({"teamId": "77"}, "unknown_team")])
async def test_an_unknown_owner_is_refused_by_name(named: dict[str, str], code: str, ticket: dict[str, Any], resting: Merchant) -> None:
    response = await _assign(resting, ticket, **named)
    assert response.json()["errors"] == [
        {"pointer": f"/{next(iter(named))}", "code": code, "detail": response.json()["errors"][0]["detail"]}
    ]


async def test_of_all_who_claim_at_once_exactly_one_wins(ticket: dict[str, Any], resting: Merchant) -> None:
    clients = (resting.ana, resting.leo, resting.sina, resting.lars)
    answers = await asyncio.gather(*(client.post(f"/tickets/{ticket['id']}/claim") for client in clients))
    assert sorted(response.status_code for response in answers) == [200, 409, 409, 409]
    winner = next(response for response in answers if response.status_code == 200)
    assert (await resting.get(ticket["id"]))["assigneeId"] == winner.json()["assigneeId"]
    assert {response.json()["code"] for response in answers if response.status_code == 409} == {"already_assigned"}


async def test_to_claim_ones_own_ticket_is_fine(ticket: dict[str, Any], resting: Merchant) -> None:
    answers = [await resting.ana.post(f"/tickets/{ticket['id']}/claim") for _ in range(2)]
    assert [response.status_code for response in answers] == [200, 200]


async def test_only_an_agent_has_hands_to_claim_with(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.adam.post(f"/tickets/{ticket['id']}/claim")
    assert (response.status_code, response.json()["code"]) == (409, "not_an_agent")


async def test_an_unassigned_ticket_can_be_claimed_by_another(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/claim")
    freed = await resting.ana.post(f"/tickets/{ticket['id']}/unassign")
    taken = await resting.leo.post(f"/tickets/{ticket['id']}/claim")
    assert (freed.json()["assigneeId"], taken.json()["assigneeId"]) == (None, str(resting.agents["leo"]))


async def test_auto_finds_the_one_who_is_there(ticket: dict[str, Any], resting: Merchant) -> None:
    nobody = await _assign(resting, ticket, auto=True)
    assert (nobody.status_code, nobody.json()["assigneeId"]) == (200, None)
    await resting.sina.put(f"/agents/{resting.agents['sina']}/availability", json={"state": "available"})
    somebody = await _assign(resting, ticket, auto=True)
    assert somebody.json()["assigneeId"] == str(resting.agents["sina"])


async def test_to_the_same_team_means_to_its_best_agent(acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    response = await _assign(acme, ticket, teamId=ticket["teamId"])
    assert response.json()["assigneeId"] in {str(acme.agents[name]) for name in ("ana", "leo")}


async def test_of_two_who_change_the_same_version_one_is_told_that_it_is_stale(ticket: dict[str, Any], resting: Merchant) -> None:
    seen = {"If-Match": f'"{(await resting.get(ticket["id"]))["version"]}"'}
    changes = [client.patch(f"/tickets/{ticket['id']}", json={"subject": name}, headers=seen) for name, client in _two(resting)]
    answers = await asyncio.gather(*changes)
    assert sorted(response.status_code for response in answers) == [200, 412]


def _two(merchant: Merchant) -> list[tuple[str, Any]]:
    return [("ana", merchant.ana), ("leo", merchant.leo)]
