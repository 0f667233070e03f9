"""Each rung of the ladder, taken by its deadline or by a person."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tests.support.auditor import audit, facts_of
from tests.support.desk import Desk, Merchant
from tests.system.verbs import away, do, happened, known, reach, say, told

RUNG = "escalate resolution/1/{}"
LONG_AGO = timedelta(minutes=1)


async def due_at(desk: Desk, ticket: dict[str, Any], deadline: str) -> datetime:
    return next(d.due_at for d in (await facts_of(desk, ticket["id"])).deadlines if f"{d.kind} {d.key}" == deadline)


def _is_at_level(level: int, seen: Any) -> bool:
    return bool(seen["escalationLevel"] == level)


async def escalated_to(desk: Desk, acme: Merchant, level: int) -> Any:
    """A ticket that Ana replied to and did not resolve: every rung up to ``level`` was taken when it was due."""
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    for each in range(1, level + 1):
        await reach(desk, acme, ticket, RUNG.format(each))
        await desk.until(lambda: acme.get(ticket["id"]), partial(_is_at_level, each))
    return await acme.get(ticket["id"])


async def test_level_one_notifies_the_assignee_and_the_lead(desk: Desk, acme: Merchant) -> None:
    ticket = await escalated_to(desk, acme, 1)
    assert ticket["assigneeId"] == str(acme.agents["ana"])
    assert await told(desk, acme, ticket, "escalated") == ["Ana", "Lars"]
    await audit(desk, acme)


async def test_level_two_reassigns_to_the_senior_and_notifies_both_owners(desk: Desk, acme: Merchant) -> None:
    ticket = await escalated_to(desk, acme, 2)
    assert ticket["assigneeId"] == str(acme.agents["sina"])
    assert await told(desk, acme, ticket, "escalated") == ["Ana", "Ana", "Lars", "Lars", "Sina"]
    (first, second) = (await acme.get(ticket["id"], "/escalations"))["data"]
    assert first["outcome"] == "notified"
    assert second["outcome"] == "reassigned"
    assert second["fromAgentId"] == str(acme.agents["ana"])
    assert second["toAgentId"] == str(acme.agents["sina"])
    await audit(desk, acme)
    notifications = (await acme.get(ticket["id"], "/notifications"))["data"]
    assert {each["status"] for each in notifications} == {"sent"}
    caught = [mail.message_id for mail in desk.emails()]
    assert all(caught.count(f"<notification-{each['id']}@desk.test>") == 1 for each in notifications)


async def test_level_three_reassigns_to_the_lead(desk: Desk, acme: Merchant) -> None:
    ticket = await escalated_to(desk, acme, 3)
    assert ticket["assigneeId"] == str(acme.agents["lars"])
    events = await happened(desk, acme, ticket, "escalation.reassigned", 2)
    assert [kind for kind in events if kind.startswith(("escalation", "sla"))] == [
        "sla.warned",
        "escalation.notified",
        "sla.breached",
        "escalation.reassigned",
        "escalation.reassigned",
    ]
    await audit(desk, acme)


async def test_with_the_senior_away_level_two_goes_to_the_lead(desk: Desk, acme: Merchant) -> None:
    await away(acme.sina, acme.agents["sina"])
    ticket = await escalated_to(desk, acme, 2)
    assert ticket["assigneeId"] == str(acme.agents["lars"])
    await audit(desk, acme)


async def test_with_everybody_away_the_lead_is_notified_that_there_is_no_target(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    for name in ("sina", "lars"):
        await away(acme.lars, acme.agents[name])
    await reach(desk, acme, ticket, RUNG.format(2))
    await happened(desk, acme, ticket, "escalation.no_target")
    assert (await acme.get(ticket["id"]))["assigneeId"] == str(acme.agents["ana"])
    assert await told(desk, acme, ticket, "escalation_no_target") == ["Lars"]
    await audit(desk, acme)


async def test_an_acknowledgement_stops_the_later_rungs(desk: Desk, acme: Merchant) -> None:
    ticket = await escalated_to(desk, acme, 1)
    third = await due_at(desk, ticket, RUNG.format(3))
    await do(acme.ana, ticket, "acknowledge")
    await reach(desk, acme, ticket, "breach resolution/1")
    await happened(desk, acme, ticket, "sla.breached")
    await known(desk, acme, ticket)
    await desk.pass_time(ticket["id"], third - desk.clock.now())
    seen = await acme.get(ticket["id"])
    assert seen["escalationLevel"] == 1
    assert seen["assigneeId"] == str(acme.agents["ana"])
    await audit(desk, acme)


async def test_a_manual_escalation_acts_at_once(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    response = await do(acme.ana, ticket, "escalate", {"reason": "The customer is furious", "level": 2})
    assert response["escalationLevel"] == 2
    assert response["assigneeId"] == str(acme.agents["sina"])
    (taken,) = (await acme.get(ticket["id"], "/escalations"))["data"]
    assert taken["cause"] == "manual"
    assert taken["reason"] == "The customer is furious"
    assert taken["outcome"] == "reassigned"
    await audit(desk, acme)


async def test_after_an_outage_only_the_highest_rung_is_taken(desk: Desk, acme: Merchant) -> None:
    desk.clock.ahead -= LONG_AGO
    ticket = await acme.open()
    await desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["escalationLevel"] == 3)
    escalations = (await acme.get(ticket["id"], "/escalations"))["data"]
    assert [(e["level"], e["outcome"]) for e in escalations] == [(1, "superseded"), (2, "superseded"), (3, "reassigned")]
    assert (await acme.get(ticket["id"]))["assigneeId"] == str(acme.agents["lars"])
    assert await told(desk, acme, ticket, "escalated") == ["Ana", "Lars"]
    await audit(desk, acme)
