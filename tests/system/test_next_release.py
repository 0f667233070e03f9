"""While a release is rolled out, an older worker reads what a newer one wrote: a value that it does not know loses nothing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.tickets.messages import ADOPT, TicketFacts
from tests.support.auditor import audit, facts_of
from tests.support.desk import Desk, Merchant
from tests.system.verbs import do, known, say

HOUR = timedelta(hours=1)


@pytest.fixture
async def ticket(desk: Desk, acme: Merchant) -> dict[str, Any]:
    """An assigned ticket that somebody has answered, whose workflow knows its facts."""
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await known(desk, acme, ticket)
    return ticket


async def send_from_next_release(desk: Desk, ticket: dict[str, Any], **unknown: Any) -> TicketFacts:
    """Signal the ticket's facts as a newer process would write them: a value more in each enumeration, and a kind of deadline more."""
    now = await facts_of(desk, ticket["id"])
    reminder = {"kind": "reminder", "due_at": (desk.clock.now() + HOUR).isoformat(), "channel": "sms"}
    facts = now.model_dump(mode="json") | {"version": now.version + 1} | unknown
    facts["deadlines"] = sorted([*facts["deadlines"], reminder], key=lambda deadline: datetime.fromisoformat(deadline["due_at"]))
    facts["deadline_kinds"] = [*now.deadline_kinds, "reminder"]
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").signal(ADOPT, facts)
    return now


async def kinds(desk: Desk, ticket: dict[str, Any]) -> set[str]:
    return {deadline.kind for deadline in (await facts_of(desk, ticket["id"])).deadlines}


async def test_a_signal_with_values_of_the_next_release_is_adopted(desk: Desk, ticket: dict[str, Any]) -> None:
    await send_from_next_release(desk, ticket, status="waiting_for_vendor", sla_status="forecast", priority="critical")
    facts = await facts_of(desk, ticket["id"])
    assert facts.status == "waiting_for_vendor"
    assert facts.sla_status == "forecast"
    assert facts.priority == "critical"
    assert "reminder" in {deadline.kind for deadline in facts.deadlines}


async def test_facts_of_this_release_keep_a_deadline_that_only_the_next_one_knows(
    desk: Desk, acme: Merchant, ticket: dict[str, Any]
) -> None:
    await send_from_next_release(desk, ticket)
    for verb in ("pending", "resume", "pending"):  # the row's version passes the one that was sent
        await do(acme.ana, ticket, verb)
    await desk.until(lambda: facts_of(desk, ticket["id"]), lambda facts: facts.status == "pending")
    assert "reminder" in await kinds(desk, ticket)


async def test_a_due_deadline_that_this_release_does_not_know_waits_for_the_next(
    desk: Desk, acme: Merchant, ticket: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is looked at again every half minute, which costs few events; all other deadlines are acted on meanwhile."""
    before = await send_from_next_release(desk, ticket)
    for minutes in (60, 1, 1):
        acts = (await desk.history(f"ticket-{ticket['id']}")).count("marker_recorded")
        await desk.pass_time(ticket["id"], timedelta(minutes=minutes, seconds=1))
        await desk.until(lambda: desk.history(f"ticket-{ticket['id']}"), lambda events: events.count("marker_recorded") > acts)  # noqa: B023
    assert await kinds(desk, ticket) == {deadline.kind for deadline in before.deadlines} | {"reminder"}
    assert len(await desk.history(f"ticket-{ticket['id']}")) < 100
    told = next(vars(record) for record in caplog.records if "stays due" in record.getMessage())
    assert (told["ticket_id"], told["due"].split(",")[0]) == (int(ticket["id"]), "reminder")
    await do(acme.ana, ticket, "close")
    await audit(desk, acme)


async def test_known_deadlines_are_run_in_time_beside_one_that_this_release_does_not_know(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned()  # demo-fast: its first breach comes after five seconds
    await known(desk, acme, ticket)
    now = await facts_of(desk, ticket["id"])
    reminder = {"kind": "reminder", "due_at": desk.clock.now().isoformat()}
    facts = now.model_dump(mode="json") | {"version": now.version + 1, "deadline_kinds": [*now.deadline_kinds, "reminder"]}
    facts["deadlines"].insert(0, reminder)
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").signal(ADOPT, facts)
    events = await desk.until(
        lambda: acme.whole(ticket["id"], "/events"), lambda events: any(event["kind"] == "sla.breached" for event in events)
    )
    breach = next(event for event in events if event["kind"] == "sla.breached")
    late = datetime.fromisoformat(breach["at"]) - datetime.fromisoformat(breach["changes"]["dueAt"])
    assert late < timedelta(seconds=15)  # and not the half minute for which the other one waits
