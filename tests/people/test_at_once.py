"""Two admins at the same moment: what one does is not undone, doubled or stood upon by what the other does."""

import asyncio
from typing import Any

import pytest

from tests.support.desk import Merchant


def agent(merchant: Merchant, team_id: str) -> dict[str, Any]:
    return {"sub": f"tim-{merchant.id}", "name": "Tim", "email": "tim@x.example", "role": "agent", "teamId": team_id}


async def team(merchant: Merchant) -> str:
    return str((await merchant.adam.post("/teams", json={"name": "Tills"})).json()["id"])


@pytest.mark.parametrize(("path", "code"), [("/agents", "agent_exists"), ("/categories", "category_exists")])
async def test_of_the_same_added_at_once_there_is_one(path: str, code: str, acme: Merchant) -> None:
    body = agent(acme, await team(acme)) if path == "/agents" else {"name": "tills", "teamId": await team(acme)}
    answers = await asyncio.gather(*(acme.adam.post(path, json=body) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert {each.json().get("code") for each in answers} == {None, code}


@pytest.mark.parametrize("path", ["/agents", "/categories"])
async def test_nothing_is_added_to_a_team_that_is_retired_at_that_moment(path: str, acme: Merchant) -> None:
    for number in range(5):
        id_ = await team(acme)
        body = agent(acme, id_) | {"sub": f"{number}-{acme.id}"} if path == "/agents" else {"name": str(number), "teamId": id_}
        retired, added = await asyncio.gather(acme.adam.delete(f"/teams/{id_}"), acme.adam.post(path, json=body))
        assert (retired.status_code, added.status_code) in {(204, 422), (409, 201)}


async def test_of_two_who_patch_the_same_version_one_is_refused(acme: Merchant) -> None:
    for path in (f"/merchants/{acme.id}", f"/teams/{await team(acme)}", f"/agents/{acme.agents['ana']}"):
        seen = {"If-Match": (await acme.adam.get(path)).headers["ETag"]}
        answers = await asyncio.gather(*(acme.adam.patch(path, json={"name": name}, headers=seen) for name in ("One", "Two", "Three")))
        assert sorted(each.status_code for each in answers) == [200, 412, 412], path
