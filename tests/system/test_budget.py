"""What a ticket costs Temporal, in history events."""

from datetime import timedelta

from models.tickets.search_attributes import STATUS
from tests.support.auditor import audit
from tests.support.desk import Desk, Merchant
from tests.system.verbs import do, happened, known, reach, say

WRITTEN_BY_MOVING_TIME = ("workflow_execution_options_updated", "workflow_execution_time_skipping_transitioned")


async def quiet_history(desk: Desk, acme: Merchant, ticket: dict[str, str]) -> list[str]:
    """The history once the workflow knows everything that was committed."""
    await audit(desk, acme)
    return await desk.history(f"ticket-{ticket['id']}")


async def test_a_note_costs_no_events(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    before = await quiet_history(desk, acme, ticket)
    await do(acme.leo, ticket, "notes", {"body": "They called twice."})
    assert await quiet_history(desk, acme, ticket) == before


async def test_a_comment_that_no_timer_depends_on_costs_no_events(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    before = await quiet_history(desk, acme, ticket)
    await say(acme.leo, ticket, "One more thing.")
    assert await quiet_history(desk, acme, ticket) == before


async def test_a_waiting_ticket_costs_no_events(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await do(acme.ana, ticket, "pending")
    await known(desk, acme, ticket)
    await desk.pass_time(ticket["id"], timedelta(days=30))  # the one timer that was set before it fires without effect
    before = await quiet_history(desk, acme, ticket)
    await desk.pass_time(ticket["id"], timedelta(days=1))
    added = (await quiet_history(desk, acme, ticket))[len(before) :]
    assert [event for event in added if event not in WRITTEN_BY_MOVING_TIME] == []


async def test_a_plain_life_costs_thirty_one_events(desk: Desk, acme: Merchant) -> None:
    """Opened, assigned, answered, resolved, surveyed, closed. What the tests' moving of time writes is not counted."""
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    await say(acme.ana, ticket)
    await known(desk, acme, ticket)
    await do(acme.ana, ticket, "resolve")
    await reach(desk, acme, ticket, "survey")
    await happened(desk, acme, ticket, "survey.sent")
    await reach(desk, acme, ticket, "auto_close")
    await happened(desk, acme, ticket, "ticket.closed")
    events = [event for event in await quiet_history(desk, acme, ticket) if event not in WRITTEN_BY_MOVING_TIME]
    assert len(events) == 31, events
    found = (await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").describe()).typed_search_attributes
    assert found.get(STATUS) == "closed"
