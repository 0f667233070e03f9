"""A new version of SLA configuration over open tickets, as a dry run and as a recalculation; and the check of overdue tickets."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs

from deploy.local.identity import Wanted
from models.sla.tables import LedgerEntry
from models.tickets.tables import Ticket
from tests.support.auditor import audit, facts_of, rows
from tests.support.desk import BASE, Desk, Merchant
from tests.system.jobs import HOUR, begun, over, policy_of_billing, proposal, publish, resolution
from tests.system.verbs import do, known, say

VERBS = ("pause", "resume", "cancel")


async def test_a_recalculation_pins_the_open_tickets_of_its_policy_and_no_others(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    ours, general, resolved = [await acme.opened_and_assigned(category=name) for name in ("billing", "general", "billing")]
    await do(acme.ana, resolved, "resolve")
    before = [await pinned(acme, ticket) for ticket in (general, resolved)]
    recalculation = await publish(acme, policy, 2 * HOUR)
    assert await pinned(acme, ours) == (1, HOUR)

    job = await over(desk, acme, await begun(acme, recalculation))
    assert job["total"] == 2
    assert job["done"] == 2
    assert job["changed"] == 1
    assert job["failed"] == 0
    assert await pinned(acme, ours) == (2, 2 * HOUR)
    assert [await pinned(acme, ticket) for ticket in (general, resolved)] == before
    retimed = [segment for segment in (await acme.get(ours["id"], "/sla/timeline"))["data"] if segment["kind"] == "retimed"]
    assert [segment["policyVersion"] for segment in retimed] == [2]
    await audit(desk, acme)


async def test_the_workflow_waits_for_the_deadlines_of_the_new_version(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    ticket = await acme.opened_and_assigned(category="billing")
    await over(desk, acme, await begun(acme, await publish(acme, policy, 2 * HOUR)))
    await known(desk, acme, ticket)
    due = {f"{d.kind} {d.key}": d.due_at for d in (await facts_of(desk, ticket["id"])).deadlines}
    (row,) = await rows(desk, acme, Ticket)
    assert due["breach resolution/1"] == row.next_due_at
    assert row.next_due_at - row.created_at > timedelta(hours=2) - timedelta(seconds=1)


async def test_what_was_spent_stays_spent_and_a_breach_stays_a_breach(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    ticket = await acme.opened_and_assigned(category="billing")
    await known(desk, acme, ticket)
    await desk.pass_time(ticket["id"], timedelta(hours=2))
    breached = await desk.until(lambda: resolution(acme, ticket), lambda cycle: cycle["breachedAt"] is not None)
    await over(desk, acme, await begun(acme, await publish(acme, policy, 50 * HOUR)))
    after = await resolution(acme, ticket)
    assert after["status"] == "breached"
    assert after["breachedAt"] == breached["breachedAt"]
    assert after["targetSeconds"] == 50 * HOUR
    assert after["elapsedSeconds"] >= breached["elapsedSeconds"] > HOUR
    await audit(desk, acme)


async def test_a_dry_run_counts_what_would_change_and_changes_nothing(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, 10 * HOUR)
    running, waiting = [await acme.opened_and_assigned(category="billing") for _ in range(2)]
    await do(acme.ana, waiting, "pending")
    before = await everything(desk, acme)
    desk.clock.ahead += timedelta(hours=2)
    job = await over(desk, acme, await begun(acme, f"/sla-policies/{policy['id']}/preview", {"definition": proposal(policy, HOUR)}))
    assert job["kind"] == "preview"
    assert job["done"] == 2
    assert job["changed"] == 2
    assert job["breached"] == 1
    assert job["result"]["overdueTicketIds"] == [running["id"]]
    assert "definition" not in job["request"]
    assert await everything(desk, acme) == before


async def test_a_dry_run_of_the_version_in_force_changes_nothing(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    await acme.opened_and_assigned(category="billing")
    job = await over(desk, acme, await begun(acme, f"/sla-policies/{policy['id']}/preview"))
    assert job["done"] == 1
    assert job["changed"] == 0
    assert job["breached"] == 0


async def test_a_definition_with_an_unknown_calendar_is_refused_before_the_job(acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    body = {"definition": proposal(policy, HOUR) | {"calendarId": "9"}}
    response = await acme.adam.post(f"/sla-policies/{policy['id']}/preview", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/definition/calendarId"


async def test_a_new_calendar_keeps_what_was_spent_under_the_old_one(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, 10 * HOUR)
    ticket = await acme.opened_and_assigned(category="billing")
    desk.clock.ahead += timedelta(hours=3)
    hardly_ever = {"name": "Hardly ever", "timeZone": "UTC", "weekly": {"mon": [["03:00", "03:10"]]}}
    path = f"/calendars/{policy['calendarId']}"
    assert (await acme.adam.post(f"{path}/versions", json=hardly_ever)).status_code == 201
    assert (await over(desk, acme, await begun(acme, f"{path}/recalculations")))["changed"] == 1
    after = await resolution(acme, ticket)
    assert 3 * HOUR <= after["elapsedSeconds"] < 3 * HOUR + 120
    await audit(desk, acme)


async def test_a_check_acts_on_what_is_overdue(desk: Desk, acme: Merchant) -> None:
    await policy_of_billing(acme, HOUR)
    ticket, other = [await acme.opened_and_assigned(category="billing") for _ in range(2)]
    desk.clock.ahead += timedelta(days=1)  # the API's clock is ahead of every workflow: no timer has fired yet
    job = await over(desk, acme, await begun(acme, "/sla/checks", {"ticketId": ticket["id"]}))
    assert job["total"] == 1
    assert job["done"] == 1
    assert job["result"] == {"overdueTicketIds": [ticket["id"]]}
    assert [(await acme.get(each["id"]))["slaStatus"] for each in (ticket, other)] == ["breached", "running"]
    job = await over(desk, acme, await begun(acme, "/sla/checks"))
    assert job["total"] == 2
    assert job["done"] == 2
    assert job["changed"] == 1


async def test_a_recalculation_does_what_its_dry_run_said(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, 10 * HOUR)
    early, late = await acme.opened_and_assigned(category="billing"), await acme.opened_and_assigned(category="billing")
    await do(acme.ana, late, "pending")
    desk.clock.ahead += timedelta(hours=2)
    seen = await over(desk, acme, await begun(acme, f"/sla-policies/{policy['id']}/preview", {"definition": proposal(policy, HOUR)}))
    done = await over(desk, acme, await begun(acme, await publish(acme, policy, HOUR)))
    assert [job["result"]["overdueTicketIds"] for job in (seen, done)] == [[early["id"]]] * 2
    assert [(job["changed"], job["breached"]) for job in (seen, done)] == [(2, 1)] * 2


async def test_a_recalculation_records_the_admin_who_began_it(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    ticket = await acme.opened_and_assigned(category="billing")
    job_id = await begun(acme, await publish(acme, policy, 2 * HOUR))
    await over(desk, acme, job_id)
    event = next(event for event in (await acme.get(ticket["id"], "/events"))["data"] if event["kind"] == "sla.retimed")
    assert event["actor"]["name"] == "Adam"
    assert event["changes"]["jobId"] == job_id
    assert event["changes"]["policyVersion"] == [1, 2]


async def test_an_ended_cycle_keeps_the_version_under_which_it_ended(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    desk_policy = next(each for each in (await acme.lars.get("/sla-policies")).json()["data"] if each["name"] == "Desk")
    await over(desk, acme, await begun(acme, await publish(acme, desk_policy, 100 * HOUR)))
    cycles = {cycle["metric"]: cycle["policyVersion"] for cycle in (await acme.get(ticket["id"], "/sla"))["data"]}
    assert cycles == {"first_response": 1, "resolution": 2}


async def test_a_recalculation_of_a_policy_leaves_the_version_of_its_calendar(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    await acme.opened_and_assigned(category="billing")
    always = {"name": "Always", "timeZone": "UTC", "weekly": {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed")}}
    assert (await acme.adam.post(f"/calendars/{policy['calendarId']}/versions", json=always)).status_code == 201
    await over(desk, acme, await begun(acme, await publish(acme, policy, 2 * HOUR)))
    (row,) = await rows(desk, acme, Ticket)
    assert row.policy_version == 2
    assert row.calendar_version == 1


@pytest.mark.parametrize("path", ["/sla/checks", "/jobs", "/calendars"])
async def test_a_token_of_some_organizers_may_not_act_for_the_whole_merchant(path: str, desk: Desk, acme: Merchant) -> None:
    claims = Wanted(sub="adam-narrow", merchant_ids=[str(acme.id)], roles=["admin"], organizer_ids=["11"])
    client = desk.client_with(desk.identity.token(claims))
    body = {"name": "A", "timeZone": "UTC", "weekly": {"mon": [["00:00", "24:00"]]}} if path == "/calendars" else None
    response = await (client.get(path) if path == "/jobs" else client.post(path, json=body))
    assert response.status_code == 403, response.text


async def test_a_lead_of_one_organizer_follows_checks_of_its_tickets_and_no_other_job(desk: Desk, acme: Merchant) -> None:
    ours, theirs = [await acme.open(category="general", organizerId=organizer) for organizer in ("11", "12")]
    olive = acme.client("olive", "lead", organizer_ids=("11",))
    own_check = await olive.post("/sla/checks", json={"ticketId": ours["id"]})
    location = own_check.headers["Location"].removeprefix(BASE)
    assert (await olive.get(location)).json()["request"] == {"ticketId": ours["id"]}
    await over(desk, acme, own_check.json()["id"])
    assert [(await olive.post(f"{location}/{verb}")).json()["code"] for verb in VERBS] == ["job_is_over"] * 3
    for body, status in (({"ticketId": theirs["id"]}, 404), (None, 403)):
        path = f"/jobs/{await begun(acme, '/sla/checks', body)}"
        responses = [await olive.get(path), *[await olive.post(f"{path}/{verb}") for verb in VERBS]]
        assert [response.status_code for response in responses] == [status] * 4


async def test_a_lead_can_not_cancel_the_job_of_an_admin(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    job_id = await begun(acme, await publish(acme, policy, 2 * HOUR))
    assert (await acme.lars.post(f"/jobs/{job_id}/cancel")).status_code == 403


async def test_a_ticket_of_another_merchant_can_not_be_checked(acme: Merchant, globex: Merchant) -> None:
    theirs = await globex.open(category="general")
    assert (await acme.lars.post("/sla/checks", json={"ticketId": theirs["id"]})).status_code == 404


async def test_a_job_of_another_merchant_is_not_found(acme: Merchant, globex: Merchant) -> None:
    job_id = await begun(acme, "/sla/checks")
    for method, part in (("GET", ""), *(("POST", f"/{verb}") for verb in VERBS)):
        assert (await globex.adam.request(method, f"/jobs/{job_id}{part}")).status_code == 404
    assert (await globex.adam.get("/jobs")).json()["data"] == []


async def test_a_ticket_that_fails_holds_up_no_other(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    tickets = [await acme.opened_and_assigned(category="billing") for _ in range(3)]
    recalculation = await publish(acme, policy, 2 * HOUR)
    async with desk.database.writing(acme.id) as session:  # a version that does not exist
        await session.execute(sa.update(Ticket).where(col(Ticket.id) == int(tickets[1]["id"])).values(policy_version=77))
    with capture_logs() as lines:
        job = await over(desk, acme, await begun(acme, recalculation))
    assert job["done"] == 3
    assert job["changed"] == 2
    assert job["failed"] == 1
    failed = [line for line in lines if line["event"] == "job.ticket_failed"]
    assert [(line["log_level"], line["job_id"]) for line in failed] == [("error", int(job["id"]))]
    assert job["result"]["failedTicketIds"] == [tickets[1]["id"]]
    ended = [line for line in lines if line["event"] == "job.done"]
    assert [(line["log_level"], line["job_id"], line["failed"]) for line in ended] == [("error", int(job["id"]), 1)]


async def pinned(acme: Merchant, ticket: dict[str, Any]) -> tuple[int, int]:
    cycle = await resolution(acme, ticket)
    return cycle["policyVersion"], cycle["targetSeconds"]


async def everything(desk: Desk, acme: Merchant) -> list[Any]:
    return [row.model_dump() for table in (Ticket, LedgerEntry) for row in await rows(desk, acme, table)]
