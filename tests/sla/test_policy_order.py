"""The order of policies, as an admin meets it: a new one is not lost behind the one for all, and the whole order is set in one call."""

import asyncio
from typing import Any

import pytest

from models.sla import configuration as publish
from tests.sla.configuration_cast import policy, published, refused
from tests.support.desk import Desk, Merchant
from tests.system.jobs import begun, over, proposal

ORDER = "/sla-policies/order"


async def unplaced(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    body = await policy(merchant, **changes)
    del body["position"]
    return body


async def order(merchant: Merchant) -> list[dict[str, Any]]:
    return list((await merchant.ana.get(ORDER)).json()["data"])


async def winner(merchant: Merchant, **traits: Any) -> tuple[str, str | None]:
    body = {"ticketSample": traits, "definition": await unplaced(merchant, name="Tried", match={"tags": ["tried"]})}
    told = (await merchant.adam.post("/sla-policies/preview", json=body)).json()
    return told["wonBy"]["name"], told["reason"]


async def test_a_new_policy_without_a_position_wins_over_the_one_for_all(acme: Merchant) -> None:
    vip = await published(acme, "/sla-policies", await unplaced(acme, name="VIP", match={"tags": ["vip"]}))
    assert [each["name"] for each in await order(acme)] == ["Seconds, to watch", "VIP", "Desk"]
    ticket = await acme.open(category="general", tags=["vip"])
    assert {cycle["policyId"] for cycle in (await acme.get(ticket["id"], "/sla"))["data"]} == {vip["id"]}


async def test_the_next_version_without_a_position_stays_where_it_was(acme: Merchant) -> None:
    vip = await published(acme, "/sla-policies", await policy(acme, position=7, match={"tags": ["vip"]}))
    assert (await published(acme, f"/sla-policies/{vip['id']}/versions", await unplaced(acme)))["position"] == 7


@pytest.mark.parametrize(("position", "reason"), [(None, None), (1, None), (3, "lower_position")])
async def test_a_forecast_names_the_winner_and_why_the_tried_policy_is_not_it(
    position: int | None, reason: str | None, acme: Merchant
) -> None:
    definition = await unplaced(acme, name="VIP", match={"tags": ["vip"]}) | ({} if position is None else {"position": position})
    body = {"definition": definition, "ticketSample": {"category": "general", "tags": ["vip"]}}
    told = (await acme.adam.post("/sla-policies/preview", json=body)).json()
    assert told["reason"] == reason
    assert told["wonBy"]["name"] == ("Desk" if reason else "VIP")
    assert told["wonBy"]["position"] == (2 if reason or position is None else position)
    assert told["wonBy"]["id"] == (told["policy"]["id"] if reason else None)


async def test_a_forecast_of_tickets_that_the_tried_policy_is_not_for_says_so(acme: Merchant) -> None:
    assert await winner(acme, category="general") == ("Desk", "no_match")
    assert await winner(acme, category="demo-fast", tags=["tried"]) == ("Seconds, to watch", "lower_position")


async def test_a_dry_run_counts_who_wins_and_why_the_tried_policy_does_not(desk: Desk, acme: Merchant) -> None:
    desk_policy = next(each for each in (await acme.lars.get("/sla-policies")).json()["data"] if each["name"] == "Desk")
    for tags in (["vip"], ["vip"], []):
        await acme.open(category="general", tags=tags)
    tried = proposal(desk_policy, 60) | {"name": "VIP", "match": {"tags": ["vip"]}, "position": 3}
    job = await over(desk, acme, await begun(acme, "/sla-policies/preview", {"definition": tried}))
    lost = {"id": desk_policy["id"], "name": "Desk"}
    assert job["result"]["wonBy"] == [lost | {"reason": "lower_position", "tickets": 2}, lost | {"reason": "no_match", "tickets": 1}]
    job = await over(desk, acme, await begun(acme, "/sla-policies/preview", {"definition": tried | {"position": 2}}))
    won = {"id": None, "name": "VIP", "reason": None, "tickets": 2}
    assert job["result"]["wonBy"] == [won, lost | {"reason": "no_match", "tickets": 1}]


async def test_the_order_is_set_in_one_call_and_each_that_moves_gets_a_version(acme: Merchant) -> None:
    await published(acme, "/sla-policies", await policy(acme, position=5, match={"tags": ["vip"]}))
    before = await order(acme)
    ids = [each["id"] for each in (before[1], before[0], before[2])]
    response = await acme.adam.put(ORDER, json={"ids": ids})
    assert response.status_code == 200, response.text
    assert [(each["id"], each["position"]) for each in response.json()["data"]] == [(ids[0], 1), (ids[1], 2), (ids[2], 3)]
    assert await order(acme) == response.json()["data"]
    shown = [(await acme.ana.get(f"/sla-policies/{id_}")).json() for id_ in ids]
    assert [(each["version"], each["createdBy"]["name"]) for each in shown] == [(2, "Adam")] * 3
    again = await acme.adam.put(ORDER, json={"ids": ids})
    assert again.json() == response.json()
    assert (await acme.ana.get(f"/sla-policies/{ids[0]}")).json()["version"] == 2


async def test_an_order_names_each_policy_once(acme: Merchant, globex: Merchant) -> None:
    ids, theirs = [[each["id"] for each in await order(merchant)] for merchant in (acme, globex)]
    assert refused(await acme.adam.put(ORDER, json={"ids": ids[:1]}), "/ids", "policy_missing")
    assert refused(await acme.adam.put(ORDER, json={"ids": [*ids, ids[0]]}), f"/ids/{len(ids)}", "duplicate")
    assert refused(await acme.adam.put(ORDER, json={"ids": [*ids, theirs[0]]}), f"/ids/{len(ids)}", "unknown_policy")
    assert [each["id"] for each in await order(globex)] == theirs


async def test_of_two_orders_at_once_the_later_one_holds_as_a_whole(acme: Merchant) -> None:
    await published(acme, "/sla-policies", await policy(acme, match={"tags": ["vip"]}))
    ids = [each["id"] for each in await order(acme)]
    wanted = [ids[::-1], [ids[1], ids[0], ids[2]]]
    responses = await asyncio.gather(*(acme.adam.put(ORDER, json={"ids": each}) for each in wanted * 2))
    assert {response.status_code for response in responses} == {200}
    assert [each["id"] for each in await order(acme)] in wanted


async def test_an_order_that_would_exceed_the_bound_of_versions_changes_nothing(acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await order(acme)
    monkeypatch.setattr(publish, "MAX_VERSIONS", 3)
    response = await acme.adam.put(ORDER, json={"ids": [each["id"] for each in before[::-1]]})
    assert response.status_code == 409, response.text
    assert response.json()["code"] == "too_many_versions"
    assert await order(acme) == before
