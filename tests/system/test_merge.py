"""What a merge does to the two workflows."""

from tests.support.auditor import audit, facts_of
from tests.support.desk import Desk, Merchant
from tests.system.verbs import do, happened, known, reach, say, told


async def test_a_merge_ends_one_workflow_and_leaves_the_other(desk: Desk, acme: Merchant) -> None:
    source, target = [await acme.opened_and_assigned(category="general") for _ in range(2)]
    before = await facts_of(desk, target["id"])
    await do(acme.ana, source, "merge", {"intoTicketId": target["id"]})
    await desk.client.get_workflow_handle(f"ticket-{source['id']}").result()
    assert await facts_of(desk, target["id"]) == before
    await audit(desk, acme)


async def test_a_merged_ticket_has_no_deadline_left(desk: Desk, acme: Merchant) -> None:
    target = await acme.opened_and_assigned(category="general")
    for verb, body in (("resolve", None), ("snooze", {"until": "2027-11-01T00:00:00Z"})):
        source = await acme.opened_and_assigned(category="general")
        await do(acme.ana, source, verb, body)
        await do(acme.ana, source, "merge", {"intoTicketId": target["id"]})
        await desk.client.get_workflow_handle(f"ticket-{source['id']}").result()
        assert (await acme.get(source["id"]))["snoozedUntil"] is None
    assert (await happened(desk, acme, target, "ticket.merged_from", 2)).count("ticket.merged_from") == 2
    await audit(desk, acme)


async def test_a_reply_to_a_merged_ticket_acts_on_the_other(desk: Desk, acme: Merchant) -> None:
    """It reopens the other ticket, cancels its survey and notifies its assignee, exactly as a reply there would."""
    source, target = [await acme.opened_and_assigned(category="general") for _ in range(2)]
    await do(acme.ana, source, "merge", {"intoTicketId": target["id"]})
    await do(acme.ana, target, "resolve")
    await reach(desk, acme, target, "survey")
    await happened(desk, acme, target, "survey.sent")
    await say(acme.rita, source, "It is still broken.")
    seen = await acme.get(target["id"])
    assert seen["status"] == "open"
    assert seen["slaStatus"] == "running"
    assert await told(desk, acme, target, "reply_to_agent") == [(await owner(acme, seen["assigneeId"]))]
    assert (await acme.get(source["id"]))["status"] == "closed"
    await known(desk, acme, target)
    await audit(desk, acme)


async def owner(acme: Merchant, agent_id: str) -> str:
    return str((await acme.lars.get(f"/agents/{agent_id}")).json()["name"])
