"""Signals carry state: repeated, late or overtaken ones change nothing."""

import sqlalchemy as sa
from sqlmodel import col
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from models.tickets.messages import ADOPT
from models.tickets.search_attributes import NUMBER, PRIORITY
from models.tickets.tables import Ticket
from tests.support.auditor import audit, facts_of
from tests.support.desk import Desk, Merchant
from tests.system.verbs import do, known, say
from workflows.runner import WATCHED
from workflows.ticket import TicketWorkflow


async def test_a_repeated_and_a_late_signal_change_nothing(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    old = await facts_of(desk, ticket["id"])
    await do(acme.ana, ticket, "pending")
    await known(desk, acme, ticket)
    now = await facts_of(desk, ticket["id"])
    handle = desk.client.get_workflow_handle(f"ticket-{ticket['id']}")
    for stale in (now, old, old.model_copy(update={"version": 0, "has_ended": True})):
        await handle.signal(ADOPT, stale)
    assert await facts_of(desk, ticket["id"]) == now
    await audit(desk, acme)


async def test_the_newest_of_signals_in_the_wrong_order_wins(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    now = await facts_of(desk, ticket["id"])
    handle = desk.client.get_workflow_handle(f"ticket-{ticket['id']}")
    for ahead in (3, 1, 2):
        await handle.signal(ADOPT, now.model_copy(update={"version": now.version + ahead, "escalation_level": ahead}))
    assert (await facts_of(desk, ticket["id"])).escalation_level == 3


async def test_facts_with_wrong_instants_take_no_rung(desk: Desk, acme: Merchant) -> None:
    """The activity decides from the row: a wrong signal costs an activity, never an escalation."""
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await known(desk, acme, ticket)
    now = await facts_of(desk, ticket["id"])
    early = tuple(deadline.model_copy(update={"due_at": desk.clock.now()}) for deadline in now.deadlines)
    handle = desk.client.get_workflow_handle(f"ticket-{ticket['id']}")
    await handle.signal(ADOPT, now.model_copy(update={"version": now.version + 1, "deadlines": early}))
    await desk.until(lambda: desk.history(f"ticket-{ticket['id']}"), lambda events: events[-1] == "timer_started")
    assert (await acme.get(ticket["id"]))["escalationLevel"] == 0
    for verb in ("pending", "resume"):  # two versions later, the row is ahead of the wrong facts
        await do(acme.ana, ticket, verb)
    await audit(desk, acme)


async def test_instants_that_the_rows_do_not_have_are_replaced_by_theirs(desk: Desk, acme: Merchant) -> None:
    """As after a change of the time zone database: the same version, other instants. One activity corrects them."""
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    await known(desk, acme, ticket)
    true = await facts_of(desk, ticket["id"])
    early = tuple(deadline.model_copy(update={"due_at": desk.clock.now()}) for deadline in true.deadlines)
    async with desk.database.writing(acme.id) as session:
        same = sa.update(Ticket).where(col(Ticket.id) == int(ticket["id"])).values(facts_version=true.version + 1)
        await session.execute(same)
    tampered = true.model_copy(update={"version": true.version + 1, "deadlines": early})
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").signal(ADOPT, tampered)
    seen = await desk.until(lambda: facts_of(desk, ticket["id"]), lambda facts: facts.version > tampered.version)
    assert seen.deadlines == true.deadlines
    await audit(desk, acme)


async def test_an_operator_finds_a_ticket_by_the_priority_that_it_has_now(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    handle = desk.client.get_workflow_handle(f"ticket-{ticket['id']}")
    edited = await acme.lars.patch(f"/tickets/{ticket['id']}", json={"priority": "urgent"}, headers={"If-Match": "*"})
    assert edited.is_success, edited.text
    found = await desk.until(handle.describe, lambda seen: seen.typed_search_attributes.get(PRIORITY) == "urgent")
    assert found.typed_search_attributes.get(NUMBER) == ticket["number"]
    replayer = Replayer(workflows=[TicketWorkflow], workflow_runner=WATCHED, data_converter=pydantic_data_converter)
    await replayer.replay_workflow(await handle.fetch_history())
