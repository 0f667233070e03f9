"""Calendars, policies and ladders: published in versions, which never change and which tickets keep."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.people.tables import Merchant as MerchantRow
from models.sla import configuration as publish
from tests.http.snapshot import document
from tests.sla.configuration_cast import PATHS, calendar, definition, id_of, ladder, policy, published
from tests.support.desk import BASE, Desk, Merchant

each_kind = pytest.mark.parametrize("path", PATHS)


@each_kind
async def test_a_rule_is_published_and_read_again(path: str, acme: Merchant) -> None:
    body = await definition(acme, path)
    response = await acme.adam.post(path, json=body)
    made = response.json()
    assert (response.status_code, response.headers["ETag"], response.headers["Location"]) == (201, '"1"', f"{BASE}{path}/{made['id']}")
    assert (made["version"], made["createdBy"]) == (1, {"kind": "staff", "id": None, "name": "Adam"})
    again = await acme.ana.get(f"{path}/{made['id']}")
    assert (again.json(), again.headers["ETag"]) == (made, '"1"')


@each_kind
async def test_what_was_said_is_what_is_shown(path: str, acme: Merchant) -> None:
    body = await definition(acme, path)
    assert _holds(await published(acme, path, body), body)


@each_kind
async def test_the_next_version_is_a_whole_new_definition(path: str, acme: Merchant) -> None:
    first = await published(acme, path, await definition(acme, path))
    response = await acme.adam.post(f"{path}/{first['id']}/versions", json=await definition(acme, path, name="Second"))
    second = response.json()
    assert (response.status_code, response.headers["ETag"], second["version"]) == (201, '"2"', 2)
    assert response.headers["Location"] == f"{BASE}{path}/{first['id']}/versions/2"
    assert (await acme.ana.get(f"{path}/{first['id']}")).json() == second
    assert (await acme.ana.get(f"{path}/{first['id']}/versions")).json()["data"] == [second, first]
    assert [(await acme.ana.get(f"{path}/{first['id']}/versions/{n}")).json() for n in (1, 2)] == [first, second]


@each_kind
async def test_a_list_shows_the_current_versions(path: str, acme: Merchant) -> None:
    before = (await acme.ana.get(path)).json()["data"]
    made = await published(acme, path, await definition(acme, path))
    newer = await published(acme, f"{path}/{made['id']}/versions", await definition(acme, path, name="Second"))
    assert (await acme.ana.get(path)).json()["data"] == [*before, newer]


@each_kind
async def test_lists_come_in_pages(path: str, acme: Merchant) -> None:
    made = await published(acme, path, await definition(acme, path))
    for _ in range(2):
        await published(acme, f"{path}/{made['id']}/versions", await definition(acme, path))
    for listed, key in ((path, "id"), (f"{path}/{made['id']}/versions", "version")):
        whole = [row[key] for row in (await acme.ana.get(listed)).json()["data"]]
        found: list[Any] = []
        after = None
        while after is not None or not found:
            page = (await acme.ana.get(listed, params={"limit": 1} | ({"after": after} if after else {}))).json()
            found, after = found + [row[key] for row in page["data"]], page["page"]["next"]
        assert found == whole


@each_kind
async def test_the_same_definition_again_is_another_version(path: str, acme: Merchant) -> None:
    body = await definition(acme, path)
    made = await published(acme, path, body)
    again = await published(acme, f"{path}/{made['id']}/versions", body)
    assert {**again, "version": 1, "createdAt": made["createdAt"]} == made


@each_kind
async def test_an_answer_has_the_fields_that_are_announced(path: str, acme: Merchant) -> None:
    announced = {"/calendars": "CalendarResponse", "/sla-policies": "PolicyResponse", "/escalation-ladders": "LadderResponse"}[path]
    seen = (await acme.ana.get(path)).json()["data"][0]
    assert seen.keys() == document()["components"]["schemas"][announced]["properties"].keys()


async def test_ids_are_texts_wherever_they_stand(acme: Merchant) -> None:
    body = await policy(acme, match={"organizerIds": ["9007199254740993"]})
    made = await published(acme, "/sla-policies", body)
    seen = (made["match"]["organizerIds"], made["calendarId"], made["ladderId"])
    assert seen == (["9007199254740993"], body["calendarId"], body["ladderId"])


async def test_a_seeded_rule_was_published_by_the_system(acme: Merchant) -> None:
    assert (await acme.ana.get("/calendars")).json()["data"][0]["createdBy"] == {"kind": "system", "id": None, "name": "helpdesk"}


@pytest.mark.parametrize("name", ["Ana/Leo", "//", "a", "Ö <b>"])
async def test_who_published_is_told_by_his_whole_name(name: str, acme: Merchant) -> None:
    someone = acme.client(name, "admin")
    made = (await someone.post("/calendars", json=calendar())).json()
    assert made["createdBy"] == {"kind": "staff", "id": None, "name": name.title()}


async def test_an_agent_who_is_an_admin_is_told_by_his_id(desk: Desk, acme: Merchant) -> None:
    made = (await acme.client("lars", "lead", "admin").post("/calendars", json=calendar())).json()
    assert made["createdBy"] == {"kind": "agent", "id": str(acme.agents["lars"]), "name": "Lars"}


@each_kind
async def test_who_saw_an_older_version_is_told_the_current_one(path: str, acme: Merchant) -> None:
    made = await published(acme, path, await definition(acme, path))
    versions, body = f"{path}/{made['id']}/versions", await definition(acme, path)
    first = await acme.adam.post(versions, json=body, headers={"If-Match": '"1"'})
    second = await acme.adam.post(versions, json=body, headers={"If-Match": '"1"'})
    assert (first.status_code, second.status_code, second.json()["code"]) == (201, 412, "stale_version")
    assert second.json()["current"] == first.json()
    assert (await acme.adam.post(versions, json=body, headers={"If-Match": '"1", "2"'})).status_code == 201


@each_kind
async def test_twenty_publishers_at_once_leave_no_gap(path: str, desk: Desk, acme: Merchant) -> None:
    made, body = await published(acme, path, await definition(acme, path)), await definition(acme, path)
    before = await _rulebook_version(desk, acme)
    answers = await asyncio.gather(*(acme.adam.post(f"{path}/{made['id']}/versions", json=body) for _ in range(20)))
    assert sorted(response.json()["version"] for response in answers) == list(range(2, 22))
    assert await _rulebook_version(desk, acme) == before + 20


async def test_of_publishers_who_saw_the_same_version_one_wins(acme: Merchant) -> None:
    made = await published(acme, "/calendars", calendar())
    path, seen = f"/calendars/{made['id']}/versions", {"If-Match": '"1"'}
    answers = await asyncio.gather(*(acme.adam.post(path, json=calendar(), headers=seen) for _ in range(8)))
    assert sorted(response.status_code for response in answers) == [201] + [412] * 7


@each_kind
async def test_a_key_publishes_once(path: str, desk: Desk, acme: Merchant) -> None:
    body, key = await definition(acme, path), {"Idempotency-Key": "k"}
    made, again = [await acme.adam.post(path, json=body, headers=key) for _ in range(2)]
    assert (again.content, again.headers["Location"], again.headers["ETag"]) == (made.content, made.headers["Location"], '"1"')
    versions, before = f"{path}/{made.json()['id']}/versions", await _rulebook_version(desk, acme)
    for _ in range(3):
        assert (await acme.adam.post(versions, json=body, headers=key)).json()["version"] == 2
    assert await _rulebook_version(desk, acme) == before + 1


async def test_what_is_refused_changes_nothing(desk: Desk, acme: Merchant) -> None:
    before = await _rulebook_version(desk, acme)
    await acme.adam.post("/sla-policies", json=await policy(acme, calendarId="9"))
    await acme.adam.post("/calendars/9/versions", json=calendar())
    assert await _rulebook_version(desk, acme) == before


async def test_new_tickets_are_opened_under_the_newest_policy(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    assert await _promised(acme, await _opened(acme)) == (1, 3600)
    await published(acme, f"/sla-policies/{made['id']}/versions", await policy(acme, targets={"normal": {"resolutionSeconds": 7200}}))
    assert await _promised(acme, await _opened(acme)) == (2, 7200)


async def test_a_ticket_keeps_the_policy_it_was_opened_under(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    ticket = await _opened(acme)
    await published(acme, f"/sla-policies/{made['id']}/versions", await policy(acme, targets={}, match={"tags": ["nobody"]}))
    for verb in ("hold", "resume"):
        await acme.lars.post(f"/tickets/{ticket['id']}/{verb}")
    assert await _promised(acme, ticket) == (1, 3600)


async def test_a_ticket_keeps_the_calendar_it_was_opened_under(desk: Desk, acme: Merchant) -> None:
    made = await published(acme, "/calendars", calendar())
    await published(acme, "/sla-policies", await policy(acme, calendarId=made["id"]))
    before = await _opened(acme)
    await published(acme, f"/calendars/{made['id']}/versions", calendar(timeZone="Asia/Tokyo"))
    timelines = [(await acme.get(ticket["id"], "/sla/timeline"))["data"] for ticket in (before, await _opened(acme))]
    assert [timeline[0]["calendarVersion"] for timeline in timelines] == [1, 2]


async def test_a_ticket_keeps_the_ladder_it_was_opened_under(acme: Merchant) -> None:
    made = await published(acme, "/escalation-ladders", ladder())
    await published(acme, "/sla-policies", await policy(acme, ladderId=made["id"]))
    before = await _opened(acme)
    steeper = ladder(rungs=[{"level": 1, "atFraction": 1, "reassign": "lead"}])
    await published(acme, f"/escalation-ladders/{made['id']}/versions", steeper)
    outcomes = []
    for ticket in (before, await _opened(acme)):
        await acme.lars.post(f"/tickets/{ticket['id']}/escalate", json={"reason": "It burns."})
        outcomes.append((await acme.get(ticket["id"], "/escalations"))["data"][0]["outcome"])
    assert outcomes == ["notified", "reassigned"]


async def test_tickets_are_opened_while_rules_are_published(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    versions, body = f"/sla-policies/{made['id']}/versions", await policy(acme)
    tickets = asyncio.gather(*(_opened(acme) for _ in range(10)))
    await asyncio.gather(*(published(acme, versions, body) for _ in range(10)))
    pins = [(await _promised(acme, ticket))[0] for ticket in await tickets]
    assert set(pins) <= set(range(1, 12))
    assert await _promised(acme, await _opened(acme)) == (11, 3600)


async def test_a_policy_of_the_same_position_as_an_older_one_comes_after_it(acme: Merchant) -> None:
    for seconds in (3600, 7200):
        await published(acme, "/sla-policies", await policy(acme, targets={"normal": {"resolutionSeconds": seconds}}))
    assert await _promised(acme, await _opened(acme)) == (1, 3600)


@pytest.mark.parametrize("path", PATHS)
async def test_a_rule_of_another_kind_is_not_found(path: str, acme: Merchant) -> None:
    for other in set(PATHS) - {path}:
        configuration_id, body = await id_of(acme, other), await definition(acme, path)
        answers = [await acme.adam.get(f"{path}/{configuration_id}{part}") for part in ("", "/versions", "/versions/1")]
        answers += [await acme.adam.post(f"{path}/{configuration_id}/versions", json=body)]
        assert [response.status_code for response in answers] == [404] * 4


@pytest.mark.parametrize("version", ["0", "2", "-1", "x", "1.0", "2147483648", "9" * 30, "٣", "1%00"])
async def test_a_version_that_is_none_is_not_found(version: str, acme: Merchant) -> None:
    configuration_id = await id_of(acme, "/calendars")
    assert (await acme.ana.get(f"/calendars/{configuration_id}/versions/{version}")).status_code == 404


@each_kind
async def test_there_is_an_end_to_the_number_of_rules(path: str, acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len((await acme.ana.get(path)).json()["data"])
    monkeypatch.setattr(publish, "MAX_CONFIGURATIONS", count + 1)
    body = await definition(acme, path)
    answers = await asyncio.gather(*(acme.adam.post(path, json=body) for _ in range(4)))
    assert sorted(response.status_code for response in answers) == [201, 409, 409, 409]
    assert {response.json().get("code") for response in answers} == {None, "too_many_rules"}


@each_kind
async def test_there_is_an_end_to_the_number_of_versions(path: str, acme: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await published(acme, path, await definition(acme, path))
    configuration = (await acme.ana.get(path)).json()["data"]
    monkeypatch.setattr(publish, "MAX_VERSIONS", sum(configuration["version"] for configuration in configuration) + 1)
    body = await definition(acme, path)
    answers = await asyncio.gather(*(acme.adam.post(f"{path}/{made['id']}/versions", json=body) for _ in range(4)))
    assert sorted(response.status_code for response in answers) == [201, 409, 409, 409]
    assert {response.json().get("code") for response in answers} == {None, "too_many_versions"}


async def _opened(merchant: Merchant) -> dict[str, Any]:
    return await merchant.open(category="general")


async def _promised(merchant: Merchant, ticket: dict[str, Any]) -> tuple[int, int]:
    cycle = next(cycle for cycle in (await merchant.get(ticket["id"], "/sla"))["data"] if cycle["metric"] == "resolution")
    return cycle["policyVersion"], cycle["targetSeconds"]


def _holds(seen: Any, said: Any) -> bool:
    """Whether all that was said is there, and beside it only what may be left out."""
    if isinstance(said, dict):
        return all(_holds(seen[name], value) for name, value in said.items())
    if isinstance(said, list):
        return len(seen) == len(said) and all(map(_holds, seen, said))
    return bool(seen == said)


async def _rulebook_version(desk: Desk, merchant: Merchant) -> int:
    async with desk.database.reading(merchant.id) as session:
        return int((await session.execute(sa.select(col(MerchantRow.rulebook_version)))).scalar_one())
