"""Reopening a resolved ticket: until when, and what follows."""

from datetime import timedelta

import pytest

from tests.support.auditor import audit
from tests.support.desk import Desk, Merchant
from tests.system.verbs import do, happened, known, reach, told

AN_HOUR = timedelta(hours=1)


async def test_a_reopening_by_the_reporter_notifies_the_assignee(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    await do(acme.rita, ticket, "reopen", {"reason": "It is back."})
    assert await told(desk, acme, ticket, "ticket_reopened") == ["Ana"]
    await audit(desk, acme)
    texts = [mail.text for mail in desk.emails() if mail.to == (f"{acme.id}@acme-{acme.id}.example",) and "Reopened" in mail.subject]
    assert ["Reason: It is back." in text for text in texts] == [True]


async def test_a_reopening_of_an_unassigned_ticket_notifies_the_lead(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "unassign")
    await do(acme.ana, ticket, "resolve")
    await do(acme.rita, ticket, "reopen")
    assert await told(desk, acme, ticket, "ticket_reopened") == ["Lars"]
    await audit(desk, acme)


@pytest.mark.parametrize("verb", ["messages", "reopen"])
async def test_a_reopening_reply_sends_one_notification(verb: str, desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    await do(acme.rita, ticket, verb, {"body": "It is back."} if verb == "messages" else None)
    sent = [await told(desk, acme, ticket, kind) for kind in ("reply_to_agent", "ticket_reopened")]
    assert sorted(sent) == [[], ["Ana"]]
    await audit(desk, acme)


async def test_a_reply_after_the_window_leaves_the_old_ticket_to_its_auto_close(desk: Desk, acme: Merchant) -> None:
    assert (await acme.adam.patch(f"/merchants/{acme.id}", json={"reopenWithinSeconds": 3600}, headers={"If-Match": "*"})).is_success
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    await reach(desk, acme, ticket, "survey")
    await desk.pass_time(ticket["id"], AN_HOUR)
    follow_up = await do(acme.rita, ticket, "messages", {"body": "It is back."})
    assert (await acme.get(follow_up["ticketId"]))["followUpOfId"] == ticket["id"]
    await reach(desk, acme, ticket, "auto_close")
    await happened(desk, acme, ticket, "ticket.closed")
    await audit(desk, acme)


async def test_a_merchants_own_windows_apply(desk: Desk, acme: Merchant) -> None:
    windows = {"surveyAfterSeconds": 60, "autoCloseAfterSeconds": 120}
    assert (await acme.adam.patch(f"/merchants/{acme.id}", json=windows, headers={"If-Match": "*"})).is_success
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    survey_at = await reach(desk, acme, ticket, "survey")
    await happened(desk, acme, ticket, "survey.sent")
    assert await reach(desk, acme, ticket, "auto_close") - survey_at == timedelta(seconds=60)
    await happened(desk, acme, ticket, "ticket.closed")
    await audit(desk, acme)


async def test_a_restored_ticket_is_neither_surveyed_nor_closed_at_once(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    assert (await acme.adam.delete(f"/tickets/{ticket['id']}")).is_success
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
    desk.clock.ahead += timedelta(days=30)
    await do(acme.adam, ticket, "restore")
    await known(desk, acme, ticket)
    assert await happened(desk, acme, ticket, "ticket.restored") == RESTORED
    await audit(desk, acme)
    assert await happened(desk, acme, ticket, "ticket.restored") == RESTORED
    assert (await do(acme.rita, ticket, "reopen"))["status"] == "open"


RESTORED = ["ticket.opened", "ticket.assigned", "ticket.resolved", "ticket.deleted", "ticket.restored"]
