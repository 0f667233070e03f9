"""What people wait for: a replay of many notifications, and a check of all merchants at once."""

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import col

from deploy.local.identity import Wanted
from models.jobs.begin import LIVE
from models.jobs.messages import JobFacts
from models.jobs.run import run_batch
from models.jobs.tables import Job
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from models.outbox.dispatch import FIRST
from models.outbox.tables import Outbox
from models.people.merchants import DIRECTORY
from models.people.roles import Role
from tests.sla.configuration_cast import id_of
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.system.jobs import begun, over


@pytest.fixture
async def still(quiet: tuple[Isolated, Desk]) -> Desk:
    return quiet[1]


async def batch(desk: Desk, merchant_id: int, job_id: str, size: int = 100) -> JobFacts:
    async with desk.database.writing(merchant_id) as session:
        return await run_batch(session, int(job_id), desk.clock.now(), size)


async def with_dead(desk: Desk, *statuses: NotificationStatus) -> tuple[Merchant, list[str]]:
    """A merchant with notifications that ended so, the oldest first."""
    acme = await desk.merchant()
    for _ in statuses:
        await acme.open(category="general")
    ids = sorted(row.id for row in await rows(desk, acme, Notification))[: len(statuses)]
    async with desk.database.writing(acme.id) as session:
        for id_, status in zip(ids, statuses, strict=True):
            await session.execute(sa.update(Notification).where(col(Notification.id) == id_).values(status=status))
        await session.execute(sa.update(Outbox).values(leased_until=None))
    return acme, [str(id_) for id_ in ids]


async def statuses(desk: Desk, acme: Merchant) -> dict[str, tuple[str, int]]:
    return {str(row.id): (row.status.value, row.round) for row in await rows(desk, acme, Notification)}


DEAD, UNKNOWN = NotificationStatus.DEAD, NotificationStatus.UNKNOWN


async def test_a_replay_gives_another_round_to_what_is_dead_and_nothing_else(still: Desk) -> None:
    acme, (dead, unknown, other) = await with_dead(still, DEAD, UNKNOWN, DEAD)
    job_id = await begun(acme, "/notifications/replays")
    facts = await batch(still, acme.id, job_id)
    assert (facts.total, facts.done, facts.has_ended) == (2, 2, True)
    found = await statuses(still, acme)
    assert (found[dead], found[unknown], found[other]) == (("pending", 1), ("unknown", 0), ("pending", 1))
    job = (await acme.lars.get(f"/jobs/{job_id}")).json()
    assert (job["kind"], job["changed"], job["result"]["replayedNotificationIds"]) == ("notification_replay", 2, [dead, other])
    assert {f"notification-{each}" for each in (dead, other)} <= {row.key for row in await rows(still, acme, Outbox)}


@pytest.mark.parametrize(
    ("chosen", "replayed"),
    [({"status": "unknown"}, [1]), ({"kind": "survey"}, []), ({"since": "2999-01-01T00:00:00Z"}, []), ({"channel": "email"}, [0, 2])],
)
async def test_a_filter_narrows_a_replay_down(chosen: dict[str, Any], replayed: list[int], still: Desk) -> None:
    acme, ids = await with_dead(still, DEAD, UNKNOWN, DEAD)
    job_id = await begun(acme, "/notifications/replays", {"filter": chosen})
    await batch(still, acme.id, job_id)
    found = await statuses(still, acme)
    assert [place for place, id_ in enumerate(ids) if found[id_] == ("pending", 1)] == replayed
    listed = (await acme.lars.get("/notifications", params={"status": "dead"} | chosen)).json()["data"]
    assert {row["id"] for row in listed}.isdisjoint(ids[place] for place in replayed)


async def test_of_a_ticket_alone_and_the_id_is_told_as_text(still: Desk) -> None:
    acme, (first, second) = await with_dead(still, DEAD, DEAD)
    shown = {row["id"]: row for row in (await acme.lars.get("/notifications?status=dead")).json()["data"]}
    job_id = await begun(acme, "/notifications/replays", {"filter": {"ticketId": shown[second]["ticketId"]}})
    assert (await batch(still, acme.id, job_id)).total == 1
    found = await statuses(still, acme)
    assert (found[first], found[second]) == (("dead", 0), ("pending", 1))
    asked = (await acme.lars.get(f"/jobs/{job_id}")).json()["request"]
    assert asked == {"filter": {"status": "dead", "ticketId": shown[second]["ticketId"]}}


@pytest.mark.parametrize("status", ["sent", "pending", "cancelled"])
async def test_what_was_sent_is_not_to_be_replayed(status: str, acme: Merchant) -> None:
    response = await acme.lars.post("/notifications/replays", json={"filter": {"status": status}})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/filter/status")


async def test_of_two_who_replay_the_same_at_once_one_does_and_another_filter_is_other_work(still: Desk) -> None:
    acme, _ = await with_dead(still, DEAD)
    answers = await asyncio.gather(*(acme.lars.post("/notifications/replays") for _ in range(4)))
    assert sorted(response.status_code for response in answers) == [202, 409, 409, 409]
    assert (await acme.lars.post("/notifications/replays", json={"filter": {"kind": "survey"}})).status_code == 202


async def test_a_replay_is_paused_resumed_and_cancelled_by_a_lead(still: Desk) -> None:
    acme, ids = await with_dead(still, DEAD, DEAD, DEAD)
    job_id = await begun(acme, "/notifications/replays")
    assert (await batch(still, acme.id, job_id, 1)).done == 1
    assert (await acme.lars.post(f"/jobs/{job_id}/pause")).json()["status"] == "paused"
    assert (await batch(still, acme.id, job_id, 1)).done == 1
    assert (await acme.lars.post(f"/jobs/{job_id}/resume")).json()["status"] == "running"
    assert (await batch(still, acme.id, job_id, 1)).done == 2
    assert (await acme.lars.post(f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
    assert (await batch(still, acme.id, job_id, 1)).has_ended
    assert [(await statuses(still, acme))[id_][1] for id_ in ids] == [1, 1, 0]


async def test_what_a_person_replays_meanwhile_gets_one_more_round_and_not_two(still: Desk) -> None:
    acme, (first, second) = await with_dead(still, DEAD, DEAD)
    job_id = await begun(acme, "/notifications/replays")
    await acme.lars.post(f"/notifications/{first}/replay")
    await batch(still, acme.id, job_id)
    found = await statuses(still, acme)
    assert (found[first], found[second]) == (("pending", 1), ("pending", 1))


async def test_who_replayed_is_in_the_audit(still: Desk) -> None:
    acme, (first, _) = await with_dead(still, DEAD, DEAD)
    await acme.lars.post(f"/notifications/{first}/replay")
    job_id = await begun(acme, "/notifications/replays", {"filter": {"kind": "ticket_received"}})
    many, one, *_ = (await acme.adam.get("/audit")).json()["data"]
    assert (one["kind"], one["subjectId"], one["actor"]["name"]) == ("notification.replayed", first, "Lars")
    assert (many["kind"], many["subjectId"], many["actor"]["name"]) == ("job.begun", job_id, "Adam")
    assert many["changes"] == {
        "jobKind": [None, "notification_replay"],
        "filter": [None, {"status": "dead", "kind": "ticket_received"}],
    }


async def test_a_lead_of_some_organizers_replays_no_others(acme: Merchant) -> None:
    narrow = acme.client("leda", "lead", organizer_ids=("77",))
    assert (await narrow.post("/notifications/replays")).status_code == 403


def operator(desk: Desk) -> httpx.AsyncClient:
    return desk.client_with(desk.identity.token(Wanted(sub="olga", name="Olga", merchant_ids=("*",), roles=(Role.OPERATOR,))))


async def test_a_check_of_all_merchants_begins_one_in_each(still: Desk) -> None:
    acme, globex = await still.merchant("acme"), await still.merchant("globex")
    await begun(acme, "/sla/checks")
    olga = operator(still)
    response = await olga.post("/sla/checks", json={"allMerchants": True})
    assert response.status_code == 202, response.text
    job_id = response.json()["id"]
    assert (await olga.post("/sla/checks", json={"allMerchants": True})).json()["code"] == "job_is_running"
    while (facts := await batch(still, DIRECTORY, job_id)).goes_on:
        pass
    job = (await olga.get(f"/jobs/{job_id}")).json()
    checks = {each["merchantId"]: each["jobId"] for each in job["result"]["checks"]}
    assert (facts.done, job["kind"], str(acme.id) in checks) == (facts.total, "all_sla_checks", False)
    begun_there = (await globex.lars.get(f"/jobs/{checks[str(globex.id)]}")).json()
    assert (begun_there["kind"], begun_there["status"]) == ("sla_check", "running")
    there, mine = [(await client.get("/audit")).json()["data"][0] for client in (globex.adam, olga)]
    assert (there["actor"]["name"], there["changes"]) == ("Olga", {"jobKind": [None, "sla_check"]})
    assert (mine["subjectId"], mine["changes"]) == (job_id, {"jobKind": [None, "all_sla_checks"]})


async def test_only_an_operator_of_all_merchants_checks_them(desk: Desk, acme: Merchant) -> None:
    olga, all_of_them = operator(desk), {"allMerchants": True}
    of_one = acme.client("olga", "operator")
    assert [(await each.post("/sla/checks", json=all_of_them)).status_code for each in (acme.lars, acme.adam, of_one)] == [403] * 3
    named = await olga.post("/sla/checks", json=all_of_them, headers={"X-Merchant-Id": str(acme.id)})
    assert (named.status_code, named.json()["code"]) == (400, "merchant_not_wanted")
    assert (await olga.post("/sla/checks")).json()["code"] == "merchant_required"
    assert (await olga.post("/sla/checks", json=all_of_them | {"ticketId": "9"})).status_code == 422
    assert (await acme.lars.get("/jobs")).json()["data"] == []


async def test_the_job_of_all_merchants_is_none_of_theirs(still: Desk) -> None:
    acme, olga = await still.merchant(), operator(still)
    async with still.database.writing(DIRECTORY) as session:  # what an earlier test left
        await session.execute(sa.update(Job).where(col(Job.status).in_(LIVE)).values(status="cancelled"))
    job_id = (await olga.post("/sla/checks", json={"allMerchants": True})).json()["id"]
    assert (await acme.adam.get(f"/jobs/{job_id}")).status_code == 404
    assert [(await olga.post(f"/jobs/{job_id}/{verb}")).status_code for verb in ("pause", "resume", "cancel")] == [200] * 3
    assert job_id in [each["id"] for each in (await olga.get("/jobs")).json()["data"]]


async def test_who_steered_a_job_is_in_the_audit(still: Desk) -> None:
    acme, _ = await with_dead(still, DEAD)
    job_id = await begun(acme, "/notifications/replays")
    for verb in ("pause", "pause", "resume", "cancel"):
        assert (await acme.lars.post(f"/jobs/{job_id}/{verb}")).status_code == 200
    entries = [each for each in (await acme.adam.get("/audit")).json()["data"] if each["subjectId"] == job_id]
    assert [each["kind"] for each in entries] == ["job.cancelled", "job.resumed", "job.paused", "job.begun"]
    assert [each["actor"]["name"] for each in entries] == ["Lars", "Lars", "Lars", "Adam"]
    assert entries[0]["changes"] == {"status": ["running", "cancelled"]}


async def test_a_replay_and_a_check_of_all_run_to_their_end(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.open(category="general")
    page = await desk.until(lambda: acme.get(ticket["id"], "/notifications"), lambda seen: all(n["status"] == "sent" for n in seen["data"]))
    id_ = page["data"][0]["id"]
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Notification).where(col(Notification.id) == int(id_)).values(status=DEAD))
    assert (await over(desk, acme, await begun(acme, "/notifications/replays")))["changed"] == 1
    await desk.until(
        lambda: acme.get(ticket["id"], "/notifications"), lambda seen: {n["id"]: n["status"] for n in seen["data"]}[id_] == "sent"
    )
    olga = operator(desk)
    job_id = (await olga.post("/sla/checks", json={"allMerchants": True})).json()["id"]

    async def look() -> dict[str, Any]:
        return dict((await olga.get(f"/jobs/{job_id}")).json())

    job = await desk.until(look, lambda seen: seen["status"] == "done")
    assert job["done"] == job["total"]
    assert str(acme.id) in {each["merchantId"] for each in job["result"]["checks"]}


async def test_a_replay_comes_before_other_jobs(still: Desk) -> None:
    acme, _ = await with_dead(still, DEAD)
    replay = await begun(acme, "/notifications/replays")
    dry_run = await begun(acme, f"/calendars/{await id_of(acme, '/calendars')}/preview")
    while await rows(still, acme, Outbox):
        await still.relay_once()
    described = [await still.client.get_workflow_handle(f"job-{job_id}").describe() for job_id in (replay, dry_run)]
    assert [each.raw_description.workflow_execution_info.priority.priority_key for each in described] == [FIRST, 0]
