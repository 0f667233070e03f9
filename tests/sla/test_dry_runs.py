"""A definition is tried before it is published: by a forecast for one ticket, and by a dry run over the open tickets of a filter."""

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
async def test_a_forecast_says_what_a_ticket_gets_now(path: str, acme: Merchant) -> None:
    configuration_id, ticket = await id_of(acme, path), await acme.open(category="general", priority="high", tags=["till"])
    sample = {"category": "general", "priority": "high", "tags": ["till"], "createdAt": ticket["createdAt"]}
    told = await forecast(acme, f"{path}/{configuration_id}", sample)
    cycles = (await acme.get(ticket["id"], "/sla"))["data"]
    targets = {each["metric"]: (each["targetSeconds"], each["dueAt"]) for each in told["promised"]}
    assert {cycle["metric"]: (cycle["targetSeconds"], cycle["dueAt"]) for cycle in cycles}.items() <= targets.items()
    assert told["policy"]["id"] == cycles[0]["policyId"]
    assert told["policy"]["version"] == cycles[0]["policyVersion"]


async def test_a_forecast_applies_the_proposed_version_of_a_policy(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme, match={"tags": ["vip"]}))
    path, body = (
        f"/sla-policies/{made['id']}",
        await policy(acme, calendarId=await _office(acme), targets=_resolution(4 * HOUR), ladderId=None),
    )
    told = await forecast(acme, path, SAMPLE, body)
    assert told["policy"]["id"] == made["id"]
    assert told["policy"]["version"] == 2
    assert told["createdAt"] == MONDAY
    assert told["promised"] == [
        {
            "metric": "resolution",
            "targetSeconds": 4 * HOUR,
            "dueAt": "2026-03-02T13:00:00Z",  # the office is closed from 12:30 to 13:30 in Berlin
            "warningsAt": ["2026-03-02T11:00:00Z"],
            "rungs": [],
        }
    ]
    assert (await forecast(acme, path, SAMPLE))["policy"]["id"] != made["id"]


async def test_a_proposed_calendar_changes_what_is_due(acme: Merchant) -> None:
    office = await _office(acme)
    await published(acme, "/sla-policies", await policy(acme, calendarId=office, targets=_resolution(10 * HOUR)))
    seen = [await forecast(acme, f"/calendars/{office}", SAMPLE, body) for body in (None, calendar(timeZone="UTC", weekly=ALWAYS))]
    assert [told["policy"]["calendarVersion"] for told in seen] == [1, 2]
    assert [told["promised"][0]["dueAt"] for told in seen] == ["2026-03-03T10:00:00Z", "2026-03-02T18:00:00Z"]


async def test_a_proposed_ladder_changes_the_rungs(acme: Merchant) -> None:
    made, always = await published(acme, "/escalation-ladders", ladder()), await published(acme, "/calendars", calendar(weekly=ALWAYS))
    await published(acme, "/sla-policies", await policy(acme, calendarId=always["id"], ladderId=made["id"]))
    told = await forecast(acme, f"/escalation-ladders/{made['id']}", SAMPLE, ladder(rungs=[{"level": 3, "atFraction": 2}]))
    assert told["promised"][0]["rungs"] == [{"level": 3, "dueAt": "2026-03-02T10:00:00Z"}]
    assert told["policy"]["ladderId"] == made["id"]
    assert told["policy"]["ladderVersion"] == 2


async def test_a_policy_that_does_not_exist_yet_applies_by_its_position(acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme, position=1))
    seen = [await forecast(acme, "/sla-policies", SAMPLE, await policy(acme, position=position)) for position in (1, 2)]
    assert [told["policy"]["id"] for told in seen] == [None, made["id"]]
    assert [told["reason"] for told in seen] == [None, "lower_position"]


async def test_a_clock_that_is_paused_in_a_new_ticket_has_no_due_instant(acme: Merchant) -> None:
    body = await policy(acme, pauseOn={"resolution": ["new"]})
    (target,) = (await forecast(acme, "/sla-policies", SAMPLE, body))["promised"]
    assert target["targetSeconds"] == HOUR
    assert target["dueAt"] is None
    assert target["warningsAt"] == []
    assert target["rungs"] == []


async def test_a_forecast_without_a_matching_policy_has_no_targets(acme: Merchant) -> None:
    for each in (await acme.lars.get("/sla-policies")).json()["data"]:
        fields = {name: value for name, value in each.items() if name not in ("id", "version", "createdAt", "createdBy")}
        await published(acme, f"/sla-policies/{each['id']}/versions", fields | {"match": {"tags": ["nobody"]}})
    told = await forecast(acme, f"/sla-policies/{each['id']}", {})
    assert told["policy"] is None
    assert told["promised"] == []


async def test_an_idempotency_key_gets_the_same_forecast_again(acme: Merchant) -> None:
    path, key = f"/sla-policies/{await id_of(acme, '/sla-policies')}/preview", {"Idempotency-Key": "k"}
    first, again, other = [
        await acme.adam.post(path, json={"ticketSample": {"priority": priority}}, headers=key) for priority in ("low", "low", "high")
    ]
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.status_code == 200
    assert again.status_code == 200
    assert other.status_code == 422


async def test_a_refused_request_leaves_the_cached_configuration_intact(acme: Merchant) -> None:
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
async def test_an_invalid_preview_is_refused_at_its_place(body: dict[str, Any], pointer: str, acme: Merchant) -> None:
    hardly_ever = await published(acme, "/calendars", calendar(weekly={"mon": [["03:00", "03:01"]]}))
    proposed = await policy(acme, calendarId=hardly_ever["id"], targets={}) | body.get("definition", {})
    for path in ("/sla-policies/preview", f"/sla-policies/{await id_of(acme, '/sla-policies')}/preview"):
        assert refused(await acme.adam.post(path, json=body | {"definition": proposed}), pointer)


@pytest.mark.parametrize(
    ("wanted", "found"),
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
async def test_a_filter_selects_the_tickets_of_a_dry_run(wanted: dict[str, Any], found: str, desk: Desk, resting: Merchant) -> None:
    made = await policy_of_billing(resting, HOUR, match={})
    tickets = [
        await resting.open(category="billing"),
        await resting.open(category="billing", tags=["vip"], organizerId="9007199254740993"),
        await resting.open(category="general", tags=["vip", "till"], priority="urgent"),
    ]
    await resting.lars.post(f"/tickets/{tickets[1]['id']}/pending")
    desk.clock.ahead += TWO_HOURS
    body = {"filter": wanted, "definition": proposal(made, HOUR) | {"pauseOn": {"resolution": []}}}
    job = await over(desk, resting, await begun(resting, f"/sla-policies/{made['id']}/preview", body))
    assert (job["total"], job["done"], job["changed"]) == (len(found),) * 3
    assert job["request"]["filter"].keys() == wanted.keys()
    assert job["request"]["filter"].get("organizerId") == wanted.get("organizerId")


async def test_a_filter_by_team_finds_its_tickets(desk: Desk, resting: Merchant) -> None:
    ticket = await resting.get((await resting.open(category="billing"))["id"])
    path = f"/sla-policies/{await id_of(resting, '/sla-policies')}/preview"
    job = await over(desk, resting, await begun(resting, path, {"filter": {"teamId": ticket["teamId"]}}))
    assert job["total"] == 1
    assert job["done"] == 1
    assert job["changed"] == 0


@pytest.mark.parametrize(("position", "taken"), [(1, 1), (2, 0)])
async def test_a_dry_run_of_a_new_policy_counts_what_it_would_take(position: int, taken: int, desk: Desk, resting: Merchant) -> None:
    older = await policy_of_billing(resting, 10 * HOUR, position=1)
    late = await resting.open(category="billing")
    await resting.open(category="general")
    desk.clock.ahead += TWO_HOURS
    body = {"definition": proposal(older, HOUR) | {"position": position}}
    job = await over(desk, resting, await begun(resting, "/sla-policies/preview", body))
    assert job["total"] == 2
    assert job["done"] == 2
    assert job["changed"] == taken
    assert job["breached"] == taken
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
