"""A snoozed ticket is on hold until its instant, or until somebody opens it sooner."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.tickets.messages import ADOPT
from tests.support.auditor import audit, facts_of
from tests.support.desk import Desk, Merchant
from tests.system.verbs import A_MOMENT, away, do, happened, known, reach, say, told

TWO_DAYS = timedelta(days=2)


async def snoozed(desk: Desk, acme: Merchant, ticket: dict[str, Any], ahead: timedelta = TWO_DAYS) -> datetime:
    until = desk.clock.now() + ahead
    await do(acme.ana, ticket, "snooze", {"until": until.isoformat()})
    await known(desk, acme, ticket)
    return until


async def resolution(acme: Merchant, ticket: dict[str, Any]) -> Any:
    return next(cycle for cycle in (await acme.get(ticket["id"], "/sla"))["data"] if cycle["metric"] == "resolution")


async def test_a_snoozed_ticket_wakes_at_its_instant_and_its_clocks_run_on(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    until, before = await snoozed(desk, acme, ticket), await resolution(acme, ticket)
    assert [deadline.kind for deadline in (await facts_of(desk, ticket["id"])).deadlines] == ["wake"]
    assert await reach(desk, acme, ticket, "wake") == until
    await happened(desk, acme, ticket, "ticket.woken")
    seen, after = await acme.get(ticket["id"]), await resolution(acme, ticket)
    assert seen["status"] == "open"
    assert seen["snoozedUntil"] is None
    assert seen["slaStatus"] == "running"
    assert before["status"] == "paused"
    assert after["status"] == "running"
    assert 0 <= after["elapsedSeconds"] - before["elapsedSeconds"] <= 5
    assert (await acme.get(ticket["id"], "/events"))["data"][-1]["actor"]["kind"] == "system"
    await audit(desk, acme)


async def test_a_wake_notifies_the_assignee(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await snoozed(desk, acme, ticket)
    await reach(desk, acme, ticket, "wake")
    await happened(desk, acme, ticket, "ticket.woken")
    await audit(desk, acme)
    assert await told(desk, acme, ticket, "ticket_woken") == ["Ana"]
    assert len([mail for mail in desk.emails() if mail.to == (f"{acme.id}@acme-{acme.id}.example",) and "Back again" in mail.subject]) == 1


async def test_a_wake_of_an_unassigned_ticket_notifies_the_lead(desk: Desk, acme: Merchant) -> None:
    for name in acme.agents:
        await away(acme.lars, acme.agents[name])
    ticket = await acme.open(category="general")
    await snoozed(desk, acme, ticket)
    await reach(desk, acme, ticket, "wake")
    await happened(desk, acme, ticket, "ticket.woken")
    assert (await acme.get(ticket["id"]))["status"] == "open"
    assert await told(desk, acme, ticket, "ticket_woken") == ["Lars"]
    await audit(desk, acme)


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=4)], ids=["sooner", "later"])
async def test_a_second_snooze_replaces_the_end_of_the_first(ahead: timedelta, desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await snoozed(desk, acme, ticket)
    until = await snoozed(desk, acme, ticket, ahead)
    await desk.pass_time(ticket["id"], until - desk.clock.now() - timedelta(seconds=30))
    assert (await acme.get(ticket["id"]))["status"] == "on_hold"
    await desk.pass_time(ticket["id"], timedelta(seconds=30) + A_MOMENT)
    events = await happened(desk, acme, ticket, "ticket.woken")
    assert events.count("ticket.snoozed") == 2
    assert events.count("ticket.woken") == 1
    await audit(desk, acme)


async def test_a_ticket_that_a_reply_reopened_is_not_woken(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await snoozed(desk, acme, ticket, timedelta(hours=1))
    await say(acme.rita, ticket, "Never mind the parts.")
    await do(acme.ana, ticket, "pending")
    await known(desk, acme, ticket)
    await desk.pass_time(ticket["id"], timedelta(hours=2))
    await do(acme.ana, ticket, "resume")
    assert "ticket.woken" not in await happened(desk, acme, ticket, "ticket.resumed", 2)
    await audit(desk, acme)


async def test_a_late_signal_of_a_snooze_wakes_nothing(desk: Desk, acme: Merchant) -> None:
    """Facts with a wake that the row does not have cost one activity."""
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await snoozed(desk, acme, ticket)
    asleep = await facts_of(desk, ticket["id"])
    await do(acme.ana, ticket, "pending")
    await known(desk, acme, ticket)
    now, handle = await facts_of(desk, ticket["id"]), desk.client.get_workflow_handle(f"ticket-{ticket['id']}")
    await handle.signal(ADOPT, asleep)
    assert await facts_of(desk, ticket["id"]) == now
    due = tuple(deadline.model_copy(update={"due_at": desk.clock.now()}) for deadline in asleep.deadlines)
    await handle.signal(ADOPT, now.model_copy(update={"version": now.version + 1, "deadlines": due}))
    await desk.until(lambda: desk.history(f"ticket-{ticket['id']}"), lambda events: events[-1] == "timer_started")
    assert (await acme.get(ticket["id"]))["status"] == "pending"
    for verb in ("resume", "pending"):  # two versions later, the row is ahead of the wrong facts
        await do(acme.ana, ticket, verb)
    await audit(desk, acme)


async def test_a_snooze_that_ended_while_the_ticket_was_deleted_is_over_when_it_is_restored(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await snoozed(desk, acme, ticket, timedelta(hours=1))
    assert (await acme.adam.delete(f"/tickets/{ticket['id']}")).is_success
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
    desk.clock.ahead += timedelta(hours=1)
    await do(acme.adam, ticket, "restore")
    await known(desk, acme, ticket)
    await desk.pass_time(ticket["id"], timedelta(hours=1))  # a new run starts at the server's time
    await happened(desk, acme, ticket, "ticket.woken")
    await audit(desk, acme)
