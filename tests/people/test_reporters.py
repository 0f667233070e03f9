"""Who reports: known by his token, or at first only by the address that an agent typed."""

import asyncio
from typing import Any

import httpx
import pytest

from deploy.local.identity import Wanted
from models.people.tables import Reporter
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant

ROB = {"name": "Rob", "email": "rob@customer.example"}
MINE = {"subject": "mine", "description": "d"}


async def _opened_for_rob(merchant: Merchant, by: httpx.AsyncClient | None = None, **reporter: Any) -> dict[str, Any]:
    body = {"subject": "s", "description": "d", "category": "general", "reporter": ROB | reporter}
    response = await (by or merchant.ana).post("/tickets", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def _rob(merchant: Merchant, sub: str = "rob", **claims: Any) -> httpx.AsyncClient:
    return merchant.client(sub, "reporter", **{"email": "Rob@Customer.example"} | claims)


async def _robs(desk: Desk, merchant: Merchant) -> list[tuple[str | None, str]]:
    return [(row.sub, row.name) for row in await rows(desk, merchant, Reporter)]


async def test_the_first_thing_he_does_may_be_to_look_at_it(resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    response = await _rob(resting).get(f"/tickets/{ticket['id']}")
    assert (response.status_code, response.json()["subject"]) == (200, "s")


async def test_the_first_thing_he_does_may_be_to_list_his_tickets(resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    assert [each["id"] for each in (await _rob(resting).get("/tickets")).json()["data"]] == [ticket["id"]]
    assert (await _rob(resting).get("/tickets/count")).json()["count"] == 1


async def test_the_first_thing_he_does_may_be_to_reply(desk: Desk, resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    response = await _rob(resting).post(f"/tickets/{ticket['id']}/messages", json={"body": "Still broken."})
    assert (response.status_code, response.json()["author"]["id"]) == (201, ticket["reporter"]["id"])
    assert await _robs(desk, resting) == [(f"rob-{resting.id}", "Rob")]


@pytest.mark.parametrize("claims", [{"email": None}, {"email": "rob@customer.example.org"}, {"email": "bob@customer.example"}])
async def test_without_that_address_in_his_token_it_is_not_his(claims: dict[str, Any], resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    stranger = _rob(resting, "stranger", **claims)
    assert (await stranger.get(f"/tickets/{ticket['id']}")).status_code == 404
    assert (await stranger.post(f"/tickets/{ticket['id']}/messages", json={"body": "x"})).status_code == 404
    assert (await stranger.get("/tickets")).json()["data"] == []


@pytest.mark.parametrize("said", [False, None])
async def test_an_address_that_is_not_verified_opens_nothing(said: Any, resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    mallory = _rob(resting, "mallory", email_verified=said)
    assert (await mallory.post("/tickets", json=MINE)).json()["reporter"]["email"] == "Rob@Customer.example"
    assert (await mallory.get(f"/tickets/{ticket['id']}")).status_code == 404
    assert (await mallory.post(f"/tickets/{ticket['id']}/messages", json={"body": "x"})).status_code == 404
    assert len((await mallory.get("/tickets")).json()["data"]) == 1
    assert (await _rob(resting).get(f"/tickets/{ticket['id']}")).status_code == 200


async def test_what_is_opened_for_an_address_later_is_not_theirs_either(resting: Merchant) -> None:
    mallory = _rob(resting, "mallory", email_verified=False)
    await mallory.post("/tickets", json=MINE)
    ticket = await _opened_for_rob(resting)
    assert (await mallory.get(f"/tickets/{ticket['id']}")).status_code == 404
    assert (await _rob(resting).get(f"/tickets/{ticket['id']}")).status_code == 200


async def test_a_verified_address_that_changes_to_an_unverified_one_takes_nothing_with_it(resting: Merchant) -> None:
    await _rob(resting, email="mallory@customer.example").post("/tickets", json=MINE)
    resting.clients.clear()
    mallory = _rob(resting, email_verified=False)
    await mallory.post("/tickets", json=MINE)
    ticket = await _opened_for_rob(resting)
    assert (await mallory.get(f"/tickets/{ticket['id']}")).status_code == 404


async def test_a_token_that_says_nothing_about_a_verified_address_leaves_it_so(resting: Merchant) -> None:
    await _rob(resting).post("/tickets", json=MINE)
    unsaid: list[dict[str, Any]] = [{"email_verified": None}, {"email": None}]
    for claims in unsaid:
        resting.clients.clear()
        await _rob(resting, **claims).post("/tickets", json=MINE)
    ticket = await _opened_for_rob(resting)
    assert (await _rob(resting).get(f"/tickets/{ticket['id']}")).status_code == 200


async def test_what_somebody_has_claimed_is_no_longer_anybodys(resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    await _rob(resting).post("/tickets", json=MINE)
    assert (await _rob(resting, "second").get(f"/tickets/{ticket['id']}")).status_code == 404


async def test_another_merchants_tickets_for_the_same_address_are_not_his(acme: Merchant, globex: Merchant) -> None:
    ticket = await _opened_for_rob(globex)
    assert (await _rob(acme).get(f"/tickets/{ticket['id']}")).status_code == 404


async def test_who_came_without_an_address_gets_what_waits_under_it_once_he_has_one(resting: Merchant) -> None:
    await _rob(resting, email=None).post("/tickets", json=MINE)
    ticket = await _opened_for_rob(resting)
    resting.clients.clear()
    assert (await _rob(resting).get(f"/tickets/{ticket['id']}")).status_code == 200
    assert (await _rob(resting).post(f"/tickets/{ticket['id']}/messages", json={"body": "x"})).status_code == 201


async def test_a_new_name_is_kept_whatever_he_does_with_it(desk: Desk, resting: Merchant) -> None:
    ticket = (await _rob(resting).post("/tickets", json=MINE)).json()
    resting.clients.clear()
    robert = resting.client("rob", "reporter", email="robert@customer.example")
    assert (await robert.post(f"/tickets/{ticket['id']}/messages", json={"body": "x"})).status_code == 201
    assert (await robert.get(f"/tickets/{ticket['id']}")).json()["reporter"]["email"] == "robert@customer.example"


async def test_of_all_that_he_does_first_at_once_nothing_fails_and_nothing_is_lost(desk: Desk, resting: Merchant) -> None:
    ticket = await _opened_for_rob(resting)
    rob = _rob(resting)
    reply = rob.post(f"/tickets/{ticket['id']}/messages", json={"body": "x"})
    answers = await asyncio.gather(*(rob.post("/tickets", json=MINE) for _ in range(6)), reply)
    assert {response.status_code for response in answers} == {201}
    assert await _robs(desk, resting) == [(f"rob-{resting.id}", "Rob")]
    assert len((await rob.get("/tickets")).json()["data"]) == 7


async def test_an_address_that_many_name_at_once_is_one_person(desk: Desk, resting: Merchant) -> None:
    agents = [resting.ana, resting.leo, resting.sina] * 2
    named = ["rob@customer.example", "ROB@customer.example"] * 3
    opened = await asyncio.gather(*(_opened_for_rob(resting, by, email=email) for by, email in zip(agents, named, strict=True)))
    assert len({ticket["reporter"]["id"] for ticket in opened}) == 1
    assert len((await _rob(resting).get("/tickets")).json()["data"]) == 6


async def test_agents_who_name_him_while_he_comes_mean_the_same_person(desk: Desk, resting: Merchant) -> None:
    rob = _rob(resting)
    for _ in range(3):
        await asyncio.gather(*(_opened_for_rob(resting) for _ in range(3)), *(rob.post("/tickets", json=MINE) for _ in range(3)))
    assert len(await _robs(desk, resting)) == 1
    assert len((await rob.get("/tickets")).json()["data"]) == 18


async def test_a_token_without_a_name_leaves_the_one_that_is_known(desk: Desk, resting: Merchant) -> None:
    await resting.rita.post("/tickets", json=MINE)
    await _nameless(desk, resting, "rita").post("/tickets", json=MINE)
    assert await _robs(desk, resting) == [(f"rita-{resting.id}", "Rita")]


async def test_who_has_no_name_at_all_is_called_by_his_address(desk: Desk, resting: Merchant) -> None:
    await _nameless(desk, resting, "nemo").post("/tickets", json=MINE)
    assert await _robs(desk, resting) == [(f"nemo-{resting.id}", "nemo@customer.example")]


def _nameless(desk: Desk, merchant: Merchant, sub: str) -> httpx.AsyncClient:
    wanted = Wanted(sub=f"{sub}-{merchant.id}", email=f"{sub}@customer.example", merchant_ids=(str(merchant.id),), roles=("reporter",))
    return desk.client_with(desk.identity.token(wanted))
