"""SLA configuration is published in versions that never change, and a ticket keeps the versions it was opened under."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.people.tables import Merchant as MerchantRow
from tests.http.snapshot import document
from tests.sla.configuration_cast import PATHS, calendar, definition, id_of, ladder, policy, published
from tests.support.desk import BASE, Desk, Merchant

each_kind = pytest.mark.parametrize("path", PATHS)


@each_kind
async def test_a_definition_is_published_and_read_again(path: str, acme: Merchant) -> None:
    body = await definition(acme, path)
    response = await acme.adam.post(path, json=body)
    made = response.json()
    assert response.status_code == 201
    assert response.headers["ETag"] == '"1"'
    assert response.headers["Location"] == f"{BASE}{path}/{made['id']}"
    assert made["version"] == 1
    assert made["createdBy"] == {"kind": "staff", "id": None, "name": "Adam"}
    again = await acme.ana.get(f"{path}/{made['id']}")
    assert again.json() == made
    assert again.headers["ETag"] == '"1"'


@each_kind
async def test_a_definition_is_shown_as_it_was_sent(path: str, acme: Merchant) -> None:
    body = await definition(acme, path)
    assert _holds(await published(acme, path, body), body)


@each_kind
async def test_the_next_version_is_a_whole_new_definition(path: str, acme: Merchant) -> None:
    first = await published(acme, path, await definition(acme, path))
    response = await acme.adam.post(f"{path}/{first['id']}/versions", json=await definition(acme, path, name="Second"))
    second = response.json()
    assert response.status_code == 201
    assert response.headers["ETag"] == '"2"'
    assert second["version"] == 2
    assert response.headers["Location"] == f"{BASE}{path}/{first['id']}/versions/2"
    assert (await acme.ana.get(f"{path}/{first['id']}")).json() == second
    assert (await acme.ana.get(f"{path}/{first['id']}/versions")).json()["data"] == [second, first]
    assert [(await acme.ana.get(f"{path}/{first['id']}/versions/{n}")).json() for n in (1, 2)] == [first, second]


@each_kind
async def test_what_is_published_is_in_the_audit(path: str, acme: Merchant) -> None:
    first = await published(acme, path, await definition(acme, path))
    await published(acme, f"{path}/{first['id']}/versions", await definition(acme, path, name="Second"))
    second, one = (await acme.adam.get("/audit", params={"limit": 2})).json()["data"]
    assert [each["kind"].split(".")[1] for each in (one, second)] == ["published", "published"]
    assert [(each["subjectId"], each["changes"]) for each in (one, second)] == [
        (first["id"], {"version": [None, 1]}),
        (first["id"], {"version": [1, 2]}),
    ]
    assert second["actor"]["name"] == "Adam"


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
async def test_a_response_has_the_fields_of_its_schema(path: str, acme: Merchant) -> None:
    schema = {"/calendars": "CalendarResponse", "/sla-policies": "PolicyResponse", "/escalation-ladders": "LadderResponse"}[path]
    seen = (await acme.ana.get(path)).json()["data"][0]
    assert seen.keys() == document()["components"]["schemas"][schema]["properties"].keys()


async def test_ids_are_texts_wherever_they_stand(acme: Merchant) -> None:
    body = await policy(acme, match={"organizerIds": ["9007199254740993"]})
    made = await published(acme, "/sla-policies", body)
    seen = (made["match"]["organizerIds"], made["calendarId"], made["ladderId"])
    assert seen == (["9007199254740993"], body["calendarId"], body["ladderId"])


async def test_a_seeded_definition_was_published_by_the_system(acme: Merchant) -> None:
    assert (await acme.ana.get("/calendars")).json()["data"][0]["createdBy"] == {"kind": "system", "id": None, "name": "helpdesk"}


@pytest.mark.parametrize("name", ["Ana/Leo", "//", "a", "Ö <b>"])
async def test_a_version_names_its_publisher_by_the_full_name(name: str, acme: Merchant) -> None:
    publisher = acme.client(name, "admin")
    made = (await publisher.post("/calendars", json=calendar())).json()
    assert made["createdBy"] == {"kind": "staff", "id": None, "name": name.title()}


async def test_a_version_names_a_publisher_with_an_agents_row_by_id(desk: Desk, acme: Merchant) -> None:
    made = (await acme.client("lars", "lead", "admin").post("/calendars", json=calendar())).json()
    assert made["createdBy"] == {"kind": "agent", "id": str(acme.agents["lars"]), "name": "Lars"}


@each_kind
async def test_a_stale_version_is_refused_with_the_current_one(path: str, acme: Merchant) -> None:
    made = await published(acme, path, await definition(acme, path))
    versions, body = f"{path}/{made['id']}/versions", await definition(acme, path)
    first = await acme.adam.post(versions, json=body, headers={"If-Match": '"1"'})
    second = await acme.adam.post(versions, json=body, headers={"If-Match": '"1"'})
    assert first.status_code == 201
    assert second.status_code == 412
    assert second.json()["code"] == "stale_version"
    assert second.json()["current"] == first.json()
    assert (await acme.adam.post(versions, json=body, headers={"If-Match": '"1", "2"'})).status_code == 201


@each_kind
async def test_twenty_publishers_at_once_leave_no_gap(path: str, desk: Desk, acme: Merchant) -> None:
    made, body = await published(acme, path, await definition(acme, path)), await definition(acme, path)
    before = await _rulebook_version(desk, acme)
    responses = await asyncio.gather(*(acme.adam.post(f"{path}/{made['id']}/versions", json=body) for _ in range(20)))
    assert sorted(response.json()["version"] for response in responses) == list(range(2, 22))
    assert await _rulebook_version(desk, acme) == before + 20


async def test_one_of_several_publishers_of_the_same_next_version_wins(acme: Merchant) -> None:
    made = await published(acme, "/calendars", calendar())
    path, seen = f"/calendars/{made['id']}/versions", {"If-Match": '"1"'}
    responses = await asyncio.gather(*(acme.adam.post(path, json=calendar(), headers=seen) for _ in range(8)))
    assert sorted(response.status_code for response in responses) == [201] + [412] * 7


@each_kind
async def test_an_idempotency_key_publishes_once(path: str, desk: Desk, acme: Merchant) -> None:
    body, key = await definition(acme, path), {"Idempotency-Key": "k"}
    made, again = [await acme.adam.post(path, json=body, headers=key) for _ in range(2)]
    assert again.content == made.content
    assert again.headers["Location"] == made.headers["Location"]
    assert again.headers["ETag"] == '"1"'
    versions, before = f"{path}/{made.json()['id']}/versions", await _rulebook_version(desk, acme)
    for _ in range(3):
        assert (await acme.adam.post(versions, json=body, headers=key)).json()["version"] == 2
    assert await _rulebook_version(desk, acme) == before + 1


async def test_a_refused_definition_changes_nothing(desk: Desk, acme: Merchant) -> None:
    before = await _rulebook_version(desk, acme)
    await acme.adam.post("/sla-policies", json=await policy(acme, calendarId="9"))
    await acme.adam.post("/calendars/9/versions", json=calendar())
    assert await _rulebook_version(desk, acme) == before


async def test_new_tickets_are_opened_under_the_newest_policy(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    assert await _target_of(acme, await _opened(acme)) == (1, 3600)
    await published(acme, f"/sla-policies/{made['id']}/versions", await policy(acme, targets={"normal": {"resolutionSeconds": 7200}}))
    assert await _target_of(acme, await _opened(acme)) == (2, 7200)


async def test_a_ticket_keeps_the_policy_it_was_opened_under(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    ticket = await _opened(acme)
    await published(acme, f"/sla-policies/{made['id']}/versions", await policy(acme, targets={}, match={"tags": ["no-such-tag"]}))
    for verb in ("hold", "resume"):
        await acme.lars.post(f"/tickets/{ticket['id']}/{verb}")
    assert await _target_of(acme, ticket) == (1, 3600)


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


async def test_tickets_are_opened_while_versions_are_published(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    versions, body = f"/sla-policies/{made['id']}/versions", await policy(acme)
    tickets = asyncio.gather(*(_opened(acme) for _ in range(10)))
    await asyncio.gather(*(published(acme, versions, body) for _ in range(10)))
    pins = [(await _target_of(acme, ticket))[0] for ticket in await tickets]
    assert set(pins) <= set(range(1, 12))
    assert await _target_of(acme, await _opened(acme)) == (11, 3600)


async def test_a_policy_wins_over_an_equal_one_that_is_older(acme: Merchant) -> None:
    for seconds in (3600, 7200):
        await published(acme, "/sla-policies", await policy(acme, targets={"normal": {"resolutionSeconds": seconds}}))
    assert await _target_of(acme, await _opened(acme)) == (1, 7200)


@pytest.mark.parametrize("path", PATHS)
async def test_a_definition_of_another_kind_is_not_found(path: str, acme: Merchant) -> None:
    for other in set(PATHS) - {path}:
        configuration_id, body = await id_of(acme, other), await definition(acme, path)
        responses = [await acme.adam.get(f"{path}/{configuration_id}{part}") for part in ("", "/versions", "/versions/1")]
        responses += [await acme.adam.post(f"{path}/{configuration_id}/versions", json=body)]
        assert [response.status_code for response in responses] == [404] * 4


@pytest.mark.parametrize("version", ["0", "2", "-1", "x", "1.0", "2147483648", "9" * 30, "٣", "1%00"])
async def test_a_version_that_does_not_exist_is_not_found(version: str, acme: Merchant) -> None:
    configuration_id = await id_of(acme, "/calendars")
    assert (await acme.ana.get(f"/calendars/{configuration_id}/versions/{version}")).status_code == 404


async def _opened(merchant: Merchant) -> dict[str, Any]:
    return await merchant.open(category="general")


async def _target_of(merchant: Merchant, ticket: dict[str, Any]) -> tuple[int, int]:
    cycle = next(cycle for cycle in (await merchant.get(ticket["id"], "/sla"))["data"] if cycle["metric"] == "resolution")
    return cycle["policyVersion"], cycle["targetSeconds"]


def _holds(seen: Any, sent: Any) -> bool:
    """Whether ``seen`` has everything that was sent; it may have defaults beside it."""
    if isinstance(sent, dict):
        return all(_holds(seen[name], value) for name, value in sent.items())
    if isinstance(sent, list):
        return len(seen) == len(sent) and all(map(_holds, seen, sent))
    return bool(seen == sent)


async def _rulebook_version(desk: Desk, merchant: Merchant) -> int:
    async with desk.database.reading(merchant.id) as session:
        return int((await session.execute(sa.select(col(MerchantRow.rulebook_version)))).scalar_one())
