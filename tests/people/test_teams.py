"""Teams, categories and agents: made, changed with If-Match, retired; what stands in the way is said, and every change is audited."""

from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.desk import Merchant


async def team_of(merchant: Merchant) -> dict[str, Any]:
    return dict((await merchant.adam.get("/teams")).json()["data"][0])


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer


def person(name: str, merchant: Merchant, team_id: str) -> dict[str, Any]:
    return {"sub": f"{name}-{merchant.id}", "name": name.title(), "email": f"{name}@x.example", "role": "agent", "teamId": team_id}


async def kinds(merchant: Merchant, **asked: str) -> list[str]:
    """Newest first, without what the merchant began with."""
    entries = (await merchant.adam.get("/audit", params=asked)).json()["data"]
    return [each["kind"] for each in entries if each["kind"] not in ("merchant.created", "agent.created")]


async def test_a_team_lives(acme: Merchant) -> None:
    answer = await made(acme.adam, "/teams", name="Tills")
    path = f"/teams/{answer.json()['id']}"
    assert (
        (await acme.ana.get(path)).json() == answer.json() == {"id": answer.json()["id"], "name": "Tills", "retiredAt": None, "version": 1}
    )
    renamed = await acme.adam.patch(path, json={"name": "Counters"}, headers={"If-Match": answer.headers["ETag"]})
    assert (renamed.json()["name"], renamed.headers["ETag"]) == ("Counters", '"2"')
    assert (await acme.adam.delete(path)).status_code == 204
    assert [each["name"] for each in (await acme.adam.get("/teams")).json()["data"]] == ["Support"]
    assert (await acme.ana.get(path)).json()["retiredAt"]
    assert (await acme.adam.delete(path)).status_code == 404
    assert await kinds(acme) == ["team.retired", "team.edited", "team.created"]


@pytest.mark.parametrize("kind", ["team", "category", "agent"])
async def test_a_patch_needs_the_version_that_was_seen(kind: str, acme: Merchant) -> None:
    path, body = {
        "team": (f"/teams/{(await team_of(acme))['id']}", {"name": "Tills"}),
        "category": ("/categories/billing", {"isDefault": True}),
        "agent": (f"/agents/{acme.agents['ana']}", {"capacity": 5}),
    }[kind]
    assert (await acme.adam.patch(path, json=body)).status_code == 428
    seen = (await acme.adam.get(path)).headers["ETag"]
    changed = await acme.adam.patch(path, json=body, headers={"If-Match": seen})
    stale = await acme.adam.patch(path, json=body, headers={"If-Match": seen})
    assert (changed.status_code, stale.status_code, stale.json()["current"]) == (200, 412, changed.json())
    assert (await acme.adam.delete(path, headers={"If-Match": seen})).status_code == 412


async def test_a_team_in_use_is_not_retired(acme: Merchant) -> None:
    """Its categories are in the way first, then its agents, then its tickets."""
    team = (await made(acme.adam, "/teams", name="Tills")).json()
    path = f"/teams/{team['id']}"

    async def why() -> tuple[str, str]:
        answer = await acme.adam.delete(path)
        return answer.json()["code"], answer.json()["detail"].split(":")[0]

    await made(acme.adam, "/categories", name="tills", teamId=team["id"])
    assert await why() == ("team_in_use", "The team has categories")
    ticket = await acme.open(category="tills")
    tim = (await made(acme.adam, "/agents", **person("tim", acme, team["id"]))).json()
    assert (await acme.adam.delete("/categories/tills")).status_code == 204
    assert await why() == ("team_in_use", "The team has agents")
    assert (await acme.adam.delete(f"/agents/{tim['id']}")).status_code == 204
    assert await why() == ("team_in_use", "The team has open tickets")
    assert (await acme.lars.post(f"/tickets/{ticket['id']}/close")).status_code == 200
    assert (await acme.adam.delete(path)).status_code == 204
    for refused in (
        await acme.adam.post("/agents", json=person("tom", acme, team["id"])),
        await acme.adam.post("/categories", json={"name": "late", "teamId": team["id"]}),
        await acme.lars.post(f"/tickets/{(await acme.open())['id']}/assign", json={"teamId": team["id"]}),
    ):
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_team")


async def test_a_category_leads_new_tickets_to_its_team_and_may_be_the_default(acme: Merchant) -> None:
    team = (await made(acme.adam, "/teams", name="Tills")).json()
    category = await made(acme.adam, "/categories", name="tills", teamId=team["id"], isDefault=True)
    assert category.json()["isDefault"]
    ticket = await acme.rita.post("/tickets", json={"subject": "s", "description": "d"})
    assert ticket.json()["category"] == "tills"
    assert (await acme.get(ticket.json()["id"]))["teamId"] == team["id"]
    assert [each["name"] for each in (await acme.ana.get("/categories")).json()["data"] if each["isDefault"]] == ["tills"]
    again = await acme.adam.post("/categories", json={"name": "tills", "teamId": team["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "category_exists")
    refused = await acme.adam.patch("/categories/tills", json={"isDefault": False}, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["code"]) == (409, "category_is_default")


async def test_a_retired_category_stays_on_its_tickets_and_comes_back(acme: Merchant) -> None:
    ticket = await acme.open(category="billing")
    assert (await acme.adam.delete("/categories/billing")).status_code == 204
    assert (await acme.get(ticket["id"]))["category"] == "billing"
    refused = await acme.rita.post("/tickets", json={"subject": "s", "description": "d", "category": "billing"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_category")
    policy = (await acme.adam.get("/sla-policies")).json()["data"][0]
    body = {name: value for name, value in policy.items() if name not in ("id", "version", "createdAt", "createdBy")}
    refused = await acme.adam.post("/sla-policies", json=body | {"match": {"categories": ["billing"]}})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_category")
    back = await made(acme.adam, "/categories", name="billing", teamId=(await team_of(acme))["id"])
    assert back.json()["retiredAt"] is None
    assert (await acme.open(category="billing"))["category"] == "billing"
    assert await kinds(acme) == ["category.restored", "category.retired"]


async def test_a_category_that_a_policy_names_and_the_only_one_are_in_use(acme: Merchant) -> None:
    refused = await acme.adam.delete("/categories/demo-fast")
    assert (refused.status_code, refused.json()["code"]) == (409, "category_in_use")
    (policy,) = [each for each in (await acme.adam.get("/sla-policies")).json()["data"] if each["match"]["categories"]]
    body = {name: value for name, value in policy.items() if name not in ("id", "version", "createdAt", "createdBy")}
    body["match"] = {**policy["match"], "categories": [], "tags": ["never"]}
    assert (await acme.adam.post(f"/sla-policies/{policy['id']}/versions", json=body)).status_code == 201
    assert [(await acme.adam.delete(f"/categories/{name}")).status_code for name in ("demo-fast", "billing", "general")] == [204, 204, 409]


async def test_an_agent_joins_changes_and_is_found(acme: Merchant) -> None:
    team = await team_of(acme)
    tim = (await made(acme.adam, "/agents", **person("tim", acme, team["id"]), skills=["french"])).json()
    assert (tim["capacity"], tim["availability"], tim["version"]) == (20, "available", 1)
    twice = await acme.adam.post("/agents", json=person("tim", acme, team["id"]))
    assert (twice.status_code, twice.json()["code"]) == (409, "agent_exists")
    path = f"/agents/{tim['id']}"
    changed = await acme.adam.patch(path, json={"name": "Timo", "capacity": 0}, headers={"If-Match": '"1"'})
    assert (changed.json()["name"], changed.json()["capacity"], changed.json()["skills"]) == ("Timo", 0, ["french"])

    async def found(**asked: str) -> list[str]:
        return [each["name"] for each in (await acme.ana.get("/agents", params=asked)).json()["data"]]

    assert await found(skill="french") == ["Timo"]
    assert await found(role="lead", teamId=team["id"]) == ["Lars"]
    assert await found(availability="away") == []
    assert await kinds(acme, kind="agent.edited") == ["agent.edited"]
    assert (await acme.client("tim", "agent").get("/me")).json()["agentId"] == tim["id"]


async def test_a_retired_agent_hands_over_and_their_name_stays(acme: Merchant) -> None:
    tickets = [await acme.opened_and_assigned(category="general") for _ in range(4)]
    ana = str(acme.agents["ana"])
    hers = [each["id"] for each in tickets if each["assigneeId"] == ana]
    assert hers
    assert (await acme.adam.delete(f"/agents/{ana}")).status_code == 204
    others = {str(id_) for name, id_ in acme.agents.items() if name != "ana"}
    for id_ in hers:
        assert (await acme.desk.until(partial(acme.get, id_), lambda seen: seen["assigneeId"] != ana))["assigneeId"] in others
    events = await acme.whole(hers[0], "/events")
    assert [each["changes"]["fromAgentId"] for each in events if each["kind"] == "ticket.assigned"] == [None, ana]
    assert "ticket_unassigned" not in [each["kind"] for each in await acme.whole(hers[0], "/notifications")], "they have left"
    assert ana not in [each["id"] for each in (await acme.lars.get("/agents")).json()["data"]]
    assert (await acme.lars.get(f"/agents/{ana}")).json()["name"] == "Ana"
    refused = await acme.lars.post(f"/tickets/{hers[0]}/assign", json={"agentId": ana})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_agent")
    assert (await acme.client("ana", "agent").get("/me")).json()["agentId"] is None
    back = await made(acme.adam, "/agents", **person("ana", acme, (await team_of(acme))["id"]))
    assert (back.json()["id"], back.json()["retiredAt"]) == (ana, None)
    assert await kinds(acme) == ["agent.restored", "agent.handover_begun", "agent.retired"]


async def test_the_audit_is_filtered_by_actor_and_instant(acme: Merchant) -> None:
    lars = acme.client("lars", "admin")
    lars_id = str(acme.agents["lars"])
    await made(lars, "/teams", name="By Lars")
    await made(acme.adam, "/teams", name="By Adam")
    (entry,) = (await acme.adam.get("/audit", params={"actorId": lars_id})).json()["data"]
    assert entry["changes"] == {"name": [None, "By Lars"]}
    assert entry["actor"] == {"kind": "agent", "id": lars_id, "name": "Lars"}
    assert await kinds(acme, since=entry["at"]) == ["team.created", "team.created"]
    assert await kinds(acme, since="2100-01-01T00:00:00Z") == []
