"""The whole life of a ticket, over HTTP and on real Temporal."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.auditor import audit, facts_of
from tests.support.desk import BASE, Desk, Merchant
from tests.system.verbs import do, happened, known, reach, say, told

A_WEEK = timedelta(days=7)
LINK = re.compile(rf"{BASE}(/surveys/[^\s\"<>]+)")

NATURAL = {
    "timer_started",
    "timer_fired",
    "marker_recorded",
    "workflow_task_scheduled",
    "workflow_task_started",
    "workflow_task_completed",
    "workflow_execution_signaled",
    "workflow_execution_completed",
    "upsert_workflow_search_attributes",
}


async def settled(desk: Desk, ticket: dict[str, Any], signals: int) -> list[str]:
    """Wait until the workflow has handled so many signals. One by one, they cost the most events."""

    def is_so(events: list[str]) -> bool:
        return events.count("workflow_execution_signaled") == signals and events[-1] not in (
            "workflow_task_scheduled",
            "workflow_task_started",
        )

    return await desk.until(lambda: desk.history(f"ticket-{ticket['id']}"), is_so)


async def test_a_plain_life_costs_at_most_thirty_events(desk: Desk, acme: Merchant) -> None:
    """Open, assign, reply, resolve, survey, close. Events that come from advancing time are not counted."""
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await settled(desk, ticket, 1)
    await do(acme.ana, ticket, "resolve")
    before = await settled(desk, ticket, 2)
    await desk.pass_time(ticket["id"], timedelta(hours=1, seconds=2))
    await happened(desk, acme, ticket, "survey.sent")
    await do(acme.ana, ticket, "close")
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
    events = await desk.history(f"ticket-{ticket['id']}")
    moved = [event for event in events[len(before) :] if event not in NATURAL]
    assert len(events) - len(moved) <= 30, events


async def test_a_whole_life_from_the_opening_to_the_automatic_close(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    for verb in ("pending", "resume", "resolve"):
        await do(acme.ana, ticket, verb)
    await reach(desk, acme, ticket, "survey")
    await happened(desk, acme, ticket, "survey.sent")
    await answers_once(desk, acme, ticket)

    closing_at = await reach(desk, acme, ticket, "auto_close")
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
    seen = await acme.get(ticket["id"])
    assert seen["status"] == "closed"
    assert seen["slaStatus"] == "achieved"
    assert closing_at - await resolved_at(acme, ticket) == A_WEEK
    events = await happened(desk, acme, ticket, "ticket.closed")
    assert events == ["ticket.opened", *TOLD, "survey.sent", "survey.answered", "ticket.closed"]
    await audit(desk, acme)


TOLD = ["ticket.assigned", "ticket.replied", "ticket.pending", "ticket.resumed", "ticket.resolved"]


async def answers_once(desk: Desk, acme: Merchant, ticket: dict[str, Any]) -> None:
    """Answer by the link in the e-mail to Rita."""
    rita = f"rita-{acme.id}@customer.example"
    emails = await desk.until(lambda: _emails_to(desk, rita, LINK), bool)
    link = LINK.search(emails[0].text)
    assert link is not None
    public = desk.client_with(None)
    assert (await public.get(link[1])).json()["state"] == "open"
    first = await public.post(link[1], json={"score": 5, "comment": "Quick!"})
    second = await public.post(link[1], json={"score": 1})
    assert first.status_code == 200
    assert second.status_code == 409
    assert (await public.get(link[1])).json()["score"] == 5
    assert await told(desk, acme, ticket, "survey") == ["Rita"]


async def _emails_to(desk: Desk, address: str, said: re.Pattern[str]) -> list[Any]:
    return [mail for mail in desk.emails() if address in mail.to and said.search(mail.text)]


async def resolved_at(acme: Merchant, ticket: dict[str, Any]) -> datetime:
    return datetime.fromisoformat((await acme.get(ticket["id"]))["resolvedAt"])


@pytest.mark.parametrize("verb", ["pending", "hold", "resolve"])
async def test_a_reply_of_the_reporter_reopens(desk: Desk, acme: Merchant, verb: str) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, verb)
    await say(acme.rita, ticket, "It still does not open.")
    seen = await acme.get(ticket["id"])
    assert seen["status"] == "open"
    assert seen["resolvedAt"] is None
    assert seen["slaStatus"] == "running"
    await known(desk, acme, ticket)
    assert {d.kind for d in (await facts_of(desk, ticket["id"])).deadlines} == {"warn", "breach", "escalate"}
    await audit(desk, acme)


async def test_a_reply_on_a_closed_ticket_opens_a_follow_up(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "close")
    follow_up = await say(acme.rita, ticket, "It happened again.")
    assert follow_up["id"] != ticket["id"]
    assert (await acme.get(follow_up["id"]))["followUpOfId"] == ticket["id"]
    assert (await acme.get(ticket["id"]))["status"] == "closed"
    await desk.until(lambda: acme.get(follow_up["id"]), lambda seen: seen["assigneeId"] is not None)
    await audit(desk, acme)


async def test_reopening_cancels_the_survey(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned()
    await do(acme.ana, ticket, "resolve")
    await reach(desk, acme, ticket, "survey")
    await happened(desk, acme, ticket, "survey.sent")
    survey_id = (await acme.get(ticket["id"], "/events"))["data"][-1]["changes"]["surveyId"]
    await say(acme.rita, ticket, "No, it does not work.")
    response = await desk.client_with(None).post(f"/surveys/{desk.survey_token(acme.id, survey_id)}", json={"score": 1})
    assert response.status_code == 410
    await audit(desk, acme)


@pytest.mark.parametrize("verb", ["pending", "hold"])
async def test_a_paused_resolution_clock_passes_its_due_instant_without_a_breach(desk: Desk, acme: Merchant, verb: str) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await do(acme.ana, ticket, verb)
    before = await resolution(acme, ticket)
    await known(desk, acme, ticket)
    await desk.pass_time(ticket["id"], timedelta(days=30))
    after = await resolution(acme, ticket)
    assert after["status"] == "paused"
    assert after["elapsedSeconds"] == before["elapsedSeconds"]
    assert after["dueAt"] is None
    await do(acme.ana, ticket, "resume")
    resumed = await resolution(acme, ticket)
    assert resumed["status"] == "running"
    assert resumed["breachedAt"] is None
    assert resumed["remainingSeconds"] >= before["remainingSeconds"] - 1
    await audit(desk, acme)


async def test_a_warning_and_a_breach_come_when_they_are_due(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await reach(desk, acme, ticket, "warn first_response/1/0.75")
    await happened(desk, acme, ticket, "sla.warned")
    assert (await acme.get(ticket["id"]))["slaStatus"] == "imminent"
    due_at = await reach(desk, acme, ticket, "breach first_response/1")
    await happened(desk, acme, ticket, "sla.breached")
    (first, _) = (await acme.get(ticket["id"], "/sla"))["data"]
    assert first["status"] == "breached"
    assert first["breachedAt"] == due_at.isoformat().replace("+00:00", "Z")
    assert await told(desk, acme, ticket, "sla_warning") == ["Ana"]
    assert await told(desk, acme, ticket, "sla_breached") == ["Ana", "Lars"]
    await audit(desk, acme)


async def test_a_higher_priority_shortens_the_target_and_what_was_spent_stays_spent(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    before = await resolution(acme, ticket)
    etag = {"If-Match": (await acme.ana.get(f"/tickets/{ticket['id']}")).headers["ETag"]}
    response = await acme.ana.patch(f"/tickets/{ticket['id']}", json={"priority": "urgent"}, headers=etag)
    assert response.status_code == 200, response.text
    after = await resolution(acme, ticket)
    assert before["targetSeconds"] == 20 * 3600
    assert after["targetSeconds"] == 4 * 3600
    await known(desk, acme, ticket)
    assert (await facts_of(desk, ticket["id"])).priority == "urgent"
    await audit(desk, acme)


async def test_another_category_brings_its_own_targets_to_the_workflow(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    etag = {"If-Match": (await acme.ana.get(f"/tickets/{ticket['id']}")).headers["ETag"]}
    response = await acme.ana.patch(f"/tickets/{ticket['id']}", json={"category": "demo-fast"}, headers=etag)
    assert response.status_code == 200, response.text
    assert (await resolution(acme, ticket))["targetSeconds"] == 10
    await reach(desk, acme, ticket, "escalate resolution/1/1")
    await desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["escalationLevel"] >= 1)
    await audit(desk, acme)


async def test_the_workflow_of_a_deleted_ticket_ends_and_starts_again_when_it_is_restored(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    first_run = await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").describe()
    assert (await acme.adam.delete(f"/tickets/{ticket['id']}")).is_success
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
    await audit(desk, acme)
    await do(acme.adam, ticket, "restore")
    await audit(desk, acme)
    described = await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").describe()
    assert described.run_id != first_run.run_id
    assert (await resolution(acme, ticket))["status"] == "running"


async def resolution(merchant: Merchant, ticket: dict[str, Any]) -> Any:
    cycles = (await merchant.get(ticket["id"], "/sla"))["data"]
    return next(cycle for cycle in cycles if cycle["metric"] == "resolution")
