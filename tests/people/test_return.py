"""A retired agent comes back, into another team or their own."""

import asyncio
from typing import Any

import pytest

from models.tickets.assign import hold_teams
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    return await quiet[1].merchant()


def ana(merchant: Merchant, team_id: str) -> dict[str, Any]:
    return {"sub": f"ana-{merchant.id}", "name": "Ana", "email": "ana@x.example", "role": "agent", "teamId": team_id}


async def test_who_was_away_when_they_were_retired_is_available_again(acme: Merchant) -> None:
    path = f"/agents/{acme.agents['ana']}"
    team = (await acme.adam.get(path)).json()["teamId"]
    assert (await acme.ana.put(f"{path}/availability", json={"state": "away"})).status_code == 200
    assert (await acme.adam.delete(path)).status_code == 204
    back = (await acme.adam.post("/agents", json=ana(acme, team))).json()
    assert (back["id"], back["availability"]) == (str(acme.agents["ana"]), "available")
    (entry,) = (await acme.adam.get("/audit", params={"kind": "agent.restored"})).json()["data"]
    assert entry["changes"]["availability"] == ["away", "available"]


async def test_into_another_team_both_teams_are_held_in_the_order_of_their_ids(acme: Merchant, quiet: tuple[Isolated, Desk]) -> None:
    """Held the other way round, it and a ticket that goes from the old team to the new one would wait for each other."""
    path = f"/agents/{acme.agents['ana']}"
    old, new = (await acme.adam.get(path)).json()["teamId"], (await acme.adam.post("/teams", json={"name": "Tills"})).json()["id"]
    assert (await acme.adam.delete(path)).status_code == 204
    async with acme.desk.database.writing(acme.id) as session:
        await hold_teams(session, int(old))
        returning = asyncio.create_task(acme.adam.post("/agents", json=ana(acme, new)))
        await acme.desk.until(quiet[0].waits, bool)
        await hold_teams(session, int(new))
    assert (await returning).json()["teamId"] == new


async def test_a_team_that_is_retired_takes_nobody_back(acme: Merchant) -> None:
    assert (await acme.adam.delete(f"/agents/{acme.agents['ana']}")).status_code == 204
    refused = await acme.adam.post("/agents", json=ana(acme, "9"))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_team")
