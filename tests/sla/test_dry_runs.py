"""A definition is tried before it is published: on a ticket that is only thought of, and over the open tickets of a filter."""

from datetime import timedelta
from typing import Any

import pytest

from tests.sla.configuration_cast import DAYS, PATHS, calendar, id_of, ladder, policy, published, refused
from tests.support.desk import Desk, Merchant
from tests.system.jobs import HOUR, begun, over, policy_of_billing, proposal

MONDAY = "2026-03-02T08:00:00Z"  # 9:00 in Berlin
TWO_HOURS = timedelta(hours=2)
SAMPLE = {"category": "general", "createdAt": MONDAY}
ALWAYS = {day: [["00:00", "24:00"]] for day in DAYS}
each_kind = pytest.mark.parametrize("path", PATHS)


@each_kind
async def test_a_sample_is_told_what_a_ticket_gets_now(path: str, acme: Merchant) -> None:
    configuration_id, ticket = await id_of(acme, path), await acme.open(category="general", priority="high", tags=["till"])
    sample = {"category": "general", "priority": "high", "tags": ["till"], "createdAt": ticket["createdAt"]}
    told = await forecast(acme, f"{path}/{configuration_id}", sample)
    cycles = (await acme.get(ticket["id"], "/sla"))["data"]
    promised = {each["metric"]: (each["targetSeconds"], each["dueAt"]) for each in told["promised"]}
    assert {cycle["metric"]: (cycle["targetSeconds"], cycle["dueAt"]) for cycle in cycles}.items() <= promised.items()
    assert (told["policy"]["id"], told["policy"]["version"]) == (cycles[0]["policyId"], cycles[0]["policyVersion"])


async def test_a_sample_is_held_to_the_proposed_version_of_a_policy(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme, match={"tags": ["vip"]}))
    path, body = (
        f"/sla-policies/{made['id']}",
        await policy(acme, calendarId=await _office(acme), targets=_resolution(4 * HOUR), ladderId=None),
    )
    told = await forecast(acme, path, SAMPLE, body)
    assert (told["policy"]["id"], told["policy"]["version"], told["createdAt"]) == (made["id"], 2, MONDAY)
    assert told["promised"] == [
        {
            "metric": "resolution",
            "targetSeconds": 4 * HOUR,
            "dueAt": "2026-03-02T13:00:00Z",  # half past twelve until half past one nobody works
            "warningsAt": ["2026-03-02T11:00:00Z"],
            "rungs": [],
        }
    ]
    assert (await forecast(acme, path, SAMPLE))["policy"]["id"] != made["id"]


async def test_a_proposed_calendar_moves_what_is_due(acme: Merchant) -> None:
    office = await _office(acme)
    await published(acme, "/sla-policies", await policy(acme, calendarId=office, targets=_resolution(10 * HOUR)))
    seen = [await forecast(acme, f"/calendars/{office}", SAMPLE, body) for body in (None, calendar(timeZone="UTC", weekly=ALWAYS))]
    assert [told["policy"]["calendarVersion"] for told in seen] == [1, 2]
    assert [told["promised"][0]["dueAt"] for told in seen] == ["2026-03-03T10:00:00Z", "2026-03-02T18:00:00Z"]


async def test_a_proposed_ladder_moves_its_rungs(acme: Merchant) -> None:
    made, always = await published(acme, "/escalation-ladders", ladder()), await published(acme, "/calendars", calendar(weekly=ALWAYS))
    await published(acme, "/sla-policies", await policy(acme, calendarId=always["id"], ladderId=made["id"]))
    told = await forecast(acme, f"/escalation-ladders/{made['id']}", SAMPLE, ladder(rungs=[{"level": 3, "atFraction": 2}]))
    assert told["promised"][0]["rungs"] == [{"level": 3, "dueAt": "2026-03-02T10:00:00Z"}]
    assert (told["policy"]["ladderId"], told["policy"]["ladderVersion"]) == (made["id"], 2)


async def test_a_policy_that_is_not_there_yet_takes_a_sample_by_its_position(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme, position=1))
    seen = [await forecast(acme, "/sla-policies", SAMPLE, await policy(acme, position=position)) for position in (0, 1)]
    assert [told["policy"]["id"] for told in seen] == [None, made["id"]]


async def test_a_clock_that_would_not_run_in_a_new_ticket_has_no_due_instant(acme: Merchant) -> None:
    body = await policy(acme, pauseOn={"resolution": ["new"]})
    (promised,) = (await forecast(acme, "/sla-policies", SAMPLE, body))["promised"]
    assert (promised["targetSeconds"], promised["dueAt"], promised["warningsAt"], promised["rungs"]) == (HOUR, None, [], [])


async def test_a_sample_that_no_policy_is_for_is_promised_nothing(acme: Merchant) -> None:
    for each in (await acme.lars.get("/sla-policies")).json()["data"]:
        nobodys = {name: value for name, value in each.items() if name not in ("id", "version", "createdAt", "createdBy")}
        await published(acme, f"/sla-policies/{each['id']}/versions", nobodys | {"match": {"tags": ["nobody"]}})
    told = await forecast(acme, f"/sla-policies/{each['id']}", {})
    assert (told["policy"], told["promised"]) == (None, [])


async def test_a_key_is_told_the_same_again(acme: Merchant) -> None:
    path, key = f"/sla-policies/{await id_of(acme, '/sla-policies')}/preview", {"Idempotency-Key": "k"}
    first, again, other = [
        await acme.adam.post(path, json={"ticketSample": {"priority": priority}}, headers=key) for priority in ("low", "low", "high")
    ]
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)


async def test_who_read_the_rules_first_may_fail_and_they_are_still_there(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    refused_first = await acme.rita.post("/tickets", json={"subject": "The till", "description": "It is stuck.", "category": "nope"})
    assert refused_first.status_code == 422
    assert (await forecast(acme, f"/sla-policies/{made['id']}", SAMPLE, await policy(acme)))["policy"]["version"] == 2


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"filter": {}, "ticketSample": {}}, ""),
    ({"ticketSample": {"category": "nope"}}, "/ticketSample/category"),
    ({"ticketSample": {"priority": "critical"}}, "/ticketSample/priority"),
    ({"ticketSample": {"createdAt": "0001-01-01T00:00:00Z"}}, "/ticketSample/createdAt"),
    ({"ticketSample": {"assigneeId": "1"}}, "/ticketSample/assigneeId"),
    ({"filter": {"status": ["asleep"]}}, "/filter/status/0"),
    ({"filter": {"teamId": 9}}, "/filter/teamId"),
    ({"filter": {"q": "till"}}, "/filter/q"),
    ({"definition": {"calendarId": "9"}, "ticketSample": {}}, "/definition/calendarId"),
    ({"definition": {"targets": {"low": {"resolutionSeconds": 366 * 86_400}}}, "filter": {}}, "/definition/targets/low/resolutionSeconds"),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG, ids=[pointer for _, pointer in WRONG])
async def test_what_can_not_be_tried_is_refused(body: dict[str, Any], pointer: str, acme: Merchant) -> None:
    hardly_ever = await published(acme, "/calendars", calendar(weekly={"mon": [["03:00", "03:01"]]}))
    proposed = await policy(acme, calendarId=hardly_ever["id"], targets={}) | body.get("definition", {})
    for path in ("/sla-policies/preview", f"/sla-policies/{await id_of(acme, '/sla-policies')}/preview"):
        assert refused(await acme.adam.post(path, json=body | {"definition": proposed}), pointer)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "abc"),
        ({"status": ["pending"]}, "b"),
        ({"status": "new,open,pending"}, "abc"),
        ({"status": ["resolved"]}, ""),
        ({"priority": ["urgent", "low"]}, "c"),
        ({"category": "billing"}, "ab"),
        ({"organizerId": "9007199254740993"}, "b"),
        ({"tag": ["vip"]}, "bc"),
        ({"tag": ["vip", "till"]}, "c"),
        ({"category": ["billing"], "tag": ["vip"]}, "b"),
        ({"teamId": "9"}, ""),
    ],
)
async def test_a_filter_narrows_down_which_tickets_are_tried(asked: dict[str, Any], found: str, desk: Desk, resting: Merchant) -> None:
    made = await policy_of_billing(resting, HOUR, match={})
    tickets = [
        await resting.open(category="billing"),
        await resting.open(category="billing", tags=["vip"], organizerId="9007199254740993"),
        await resting.open(category="general", tags=["vip", "till"], priority="urgent"),
    ]
    await resting.lars.post(f"/tickets/{tickets[1]['id']}/pending")
    desk.clock.ahead += TWO_HOURS
    body = {"filter": asked, "definition": proposal(made, HOUR) | {"pauseOn": {"resolution": []}}}
    job = await over(desk, resting, await begun(resting, f"/sla-policies/{made['id']}/preview", body))
    assert (job["total"], job["done"], job["changed"]) == (len(found),) * 3
    assert job["request"]["filter"].keys() == asked.keys()
    assert job["request"]["filter"].get("organizerId") == asked.get("organizerId")


async def test_a_filter_by_team_finds_its_tickets(desk: Desk, resting: Merchant) -> None:
    ticket = await resting.get((await resting.open(category="billing"))["id"])
    path = f"/sla-policies/{await id_of(resting, '/sla-policies')}/preview"
    job = await over(desk, resting, await begun(resting, path, {"filter": {"teamId": ticket["teamId"]}}))
    assert (job["total"], job["done"], job["changed"]) == (1, 1, 0)


@pytest.mark.parametrize(("position", "taken"), [(0, 1), (1, 0)])
async def test_a_dry_run_of_a_new_policy_counts_what_it_would_take(position: int, taken: int, desk: Desk, resting: Merchant) -> None:
    older = await policy_of_billing(resting, 10 * HOUR, position=1)
    late = await resting.open(category="billing")
    await resting.open(category="general")
    desk.clock.ahead += TWO_HOURS
    body = {"definition": proposal(older, HOUR) | {"position": position}}
    job = await over(desk, resting, await begun(resting, "/sla-policies/preview", body))
    assert (job["total"], job["done"], job["changed"], job["breached"]) == (2, 2, taken, taken)
    assert job["result"].get("overdueTicketIds", []) == [late["id"]] * taken
    assert job["request"] == {"rule": "policy"}
    assert (await resting.get(late["id"], "/sla"))["data"][0]["policyId"] == older["id"]


async def forecast(merchant: Merchant, path: str, sample: dict[str, Any], proposed: dict[str, Any] | None = None) -> dict[str, Any]:
    body = {"ticketSample": sample} | ({"definition": proposed} if proposed else {})
    response = await merchant.adam.post(f"{path}/preview", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def _office(merchant: Merchant) -> str:
    return str((await published(merchant, "/calendars", calendar()))["id"])


def _resolution(seconds: int) -> dict[str, Any]:
    return {"normal": {"resolutionSeconds": seconds}}
