"""What an operator reads at night: in the Temporal UI, in words and without a person's data, and by one request id in the logs."""

from typing import Any

import httpx
from structlog.testing import capture_logs
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle

from models.tickets.messages import ADOPT
from models.tickets.search_attributes import AGENT, MERCHANT_SLUG, NEXT_DUE, STATUS, TEAM
from tests.support.auditor import audit, facts_of, is_running
from tests.support.desk import BASE, Desk, Merchant
from tests.system.verbs import do, happened, known, reach, say

PEOPLE = ("Rita", "Ana", "Leo", "Sina", "Lars", "@", "till")


def handle_of(desk: Desk, ticket: dict[str, Any]) -> WorkflowHandle[Any, Any]:
    return desk.client.get_workflow_handle(f"ticket-{ticket['id']}")


async def card_of(desk: Desk, ticket: dict[str, Any]) -> str:
    """As the UI asks for it."""
    metadata: WorkflowMetadata = await handle_of(desk, ticket).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def summaries_of(desk: Desk, workflow_id: str) -> list[str]:
    """Of timers and activities, in order."""
    events = desk.client.get_workflow_handle(workflow_id).fetch_history_events()
    told = [
        desk.client.data_converter.payload_converter.from_payload(e.user_metadata.summary, str)
        async for e in events
        if e.user_metadata.summary.data
    ]
    return told[1:]  # the first is the workflow's own


async def test_a_ticket_is_known_by_merchant_number_and_category_and_its_links_need_no_worker(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    described = await handle_of(desk, ticket).describe()
    assert await described.static_summary() == f"acme-{acme.id} #{ticket['number']} · general"
    details = await described.static_details()
    assert details is not None
    assert "\n\n- [console]" in details  # a list, to the UI: Markdown needs the empty line
    for part in ("", "/events", "/notifications"):
        assert f"(http://desk.test{BASE}/tickets/{ticket['id']}{part})" in details
    assert f"(http://desk.test/console/tickets/{ticket['id']})" in details


async def test_the_card_says_who_has_the_ticket_what_is_missed_and_what_comes_and_forgets_nothing(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    facts = await facts_of(desk, ticket["id"])
    card = await card_of(desk, ticket)
    assert "\n\n- SLA: running" in card
    assert f"with agent {acme.agents['ana']}, team {facts.team_id}" in card
    assert f"next: warns at 75 % of first_response, due {facts.deadlines[0].due_at:%Y-%m-%d %H:%M:%S}Z" in card
    breached_at = await reach(desk, acme, ticket, "breach first_response/1")
    await happened(desk, acme, ticket, "sla.breached")
    await reach(desk, acme, ticket, "escalate resolution/1/2")
    await happened(desk, acme, ticket, "escalation.reassigned")
    for verb in ("resolve", "reopen"):
        await do(acme.sina, ticket, verb)
    await known(desk, acme, ticket)
    card = await card_of(desk, ticket)
    assert f"missed: first_response, since {breached_at:%Y-%m-%d %H:%M:%S}Z" in card
    assert "taken: resolution: level 1 at" in card
    assert f"to agent {acme.agents['sina']}" in card
    assert not any(word in card for word in PEOPLE)
    now = await facts_of(desk, ticket["id"])  # as when the rows of an earlier cycle are not read any more
    await handle_of(desk, ticket).signal(ADOPT, now.model_copy(update={"version": now.version + 1, "missed": (), "rungs": ()}))
    await desk.until(lambda: facts_of(desk, ticket["id"]), lambda seen: seen.version > now.version)
    assert {"missed", "taken"} <= {line[2:].split(":")[0] for line in (await card_of(desk, ticket)).splitlines()}


async def test_the_card_says_that_nobody_was_free(desk: Desk, resting: Merchant) -> None:
    ticket = await resting.open(category="general")
    await desk.until(lambda: is_running(desk, ticket["id"]), bool)
    card = await desk.until(lambda: card_of(desk, ticket), lambda seen: "nobody was free" in seen)
    assert "3 away, 0 full" in card
    assert (await facts_of(desk, ticket["id"])).version == 1  # to have looked in vain changes no row


async def test_timers_and_activities_are_named_in_words(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    warned_at = await reach(desk, acme, ticket, "warn first_response/1/0.75")
    await happened(desk, acme, ticket, "sla.warned")
    warns = f"warns at 75 % of first_response, due {warned_at:%Y-%m-%d %H:%M:%S}Z"
    # The timer, then the activity: its marker is written after its commit.
    told = await desk.until(lambda: summaries_of(desk, f"ticket-{ticket['id']}"), lambda told: told.count(warns) == 2)
    assert "assign to the best available agent" in told


async def test_workflows_are_found_by_merchant_owner_and_what_is_due(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    facts = await facts_of(desk, ticket["id"])
    found = (await handle_of(desk, ticket).describe()).typed_search_attributes
    assert (found.get(MERCHANT_SLUG), found.get(AGENT), found.get(TEAM)) == (f"acme-{acme.id}", str(acme.agents["ana"]), str(facts.team_id))
    assert found.get(NEXT_DUE) == facts.next_due_at
    assert (await do_assign(acme, ticket, "leo")).is_success
    await desk.until(handle_of(desk, ticket).describe, lambda seen: seen.typed_search_attributes.get(AGENT) == str(acme.agents["leo"]))


async def do_assign(merchant: Merchant, ticket: dict[str, Any], name: str) -> httpx.Response:
    return await merchant.lars.post(f"/tickets/{ticket['id']}/assign", json={"agentId": str(merchant.agents[name])})


async def test_a_due_that_moved_later_is_told_when_the_timer_that_was_set_for_it_fires(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    early = await facts_of(desk, ticket["id"])
    await say(acme.ana, ticket)
    await known(desk, acme, ticket)
    later = (await facts_of(desk, ticket["id"])).next_due_at
    assert (await handle_of(desk, ticket).describe()).typed_search_attributes.get(NEXT_DUE) == early.next_due_at
    await desk.pass_time(ticket["id"], early.deadlines[0].due_at - desk.clock.now())
    await desk.until(handle_of(desk, ticket).describe, lambda seen: seen.typed_search_attributes.get(NEXT_DUE) == later)


async def test_a_resolved_ticket_is_due_never_and_an_ended_workflow_says_how_it_ended(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    found = await desk.until(handle_of(desk, ticket).describe, lambda seen: seen.typed_search_attributes.get(STATUS) == "resolved")
    assert found.typed_search_attributes.get(NEXT_DUE) is None
    await do(acme.ana, ticket, "close")
    assert await handle_of(desk, ticket).result() == "closed"


async def test_the_workflow_of_a_deleted_ticket_says_so(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    assert (await acme.adam.delete(f"/tickets/{ticket['id']}")).is_success
    assert await handle_of(desk, ticket).result() == "deleted while open"


async def test_one_request_id_leads_from_the_api_to_the_email(desk: Desk, acme: Merchant) -> None:
    with capture_logs() as lines:
        body = {"subject": "The till does not open", "description": "Since this morning.", "category": "general"}
        opened = await acme.rita.post("/tickets", json=body, headers={"X-Request-Id": f"night-{acme.id}"})
        ticket = opened.json()
        await desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["assigneeId"] is not None)
        await reach(desk, acme, ticket, "warn first_response/1/0.75")
        await happened(desk, acme, ticket, "sla.warned")
        await audit(desk, acme)
    mine = [line for line in lines if line.get("request_id") == f"night-{acme.id}"]
    (created,) = [line for line in lines if line["event"] == "request" and line["method"] == "POST"]
    assert created["ticket_id"] == ticket["id"]
    assert {str(line["ticket_id"]) for line in mine} == {ticket["id"]}
    assert [line["happened"] for line in mine if line["event"] in {"ticket.assign", "ticket.run_due_deadlines"}] == [
        ["ticket.assigned"],
        ["sla.warned first_response"],
    ]
    assert {line["kind"] for line in mine if line["event"] == "notification.deliver"} == {
        "ticket_received",
        "ticket_assigned",
        "sla_warning",
    }
    assert {line["recipient_kind"] for line in mine if line["event"] == "notification.deliver"} == {"reporter", "agent"}
    assert all(line["status"] == "sent" for line in mine if line["event"] == "notification.deliver")


async def test_a_timer_names_everything_that_is_due_with_it(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await known(desk, acme, ticket)
    armed_for = (await facts_of(desk, ticket["id"])).deadlines[0].due_at
    await say(acme.ana, ticket)
    await known(desk, acme, ticket)
    both, *_ = {each.due_at for each in (await facts_of(desk, ticket["id"])).deadlines[:2]}
    await desk.pass_time(ticket["id"], armed_for - desk.clock.now())
    due = f"due {both:%Y-%m-%d %H:%M:%S}Z"
    named = f"warns at 75 % of resolution, {due}; resolution escalates to level 1, {due}"
    await desk.until(lambda: summaries_of(desk, f"ticket-{ticket['id']}"), lambda told: named in told)
