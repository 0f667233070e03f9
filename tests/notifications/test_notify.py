"""Who learns what when something is due: nobody nothing, nobody twice."""

from typing import Any

import pytest

from models.notifications.tables import Notification
from models.sla.escalate import escalate_by_hand
from models.sla.tables import ConfigurationKind
from models.tickets.assign import assign_by_hand
from models.tickets.comments import reply
from tests.support.auditor import _rows_agree, rows
from tests.support.desk import Desk
from tests.support.frozen import NOON, SECOND, FrozenTicket, opened, redefine
from tests.support.isolated import Isolated

DUE = (NOON + 10 * SECOND).isoformat()


def rung(at: float, notify: str = "", level: int = 1, metric: str = "resolution", reassign: str = "none") -> dict[str, Any]:
    return {"level": level, "metric": metric, "atFraction": at, "notify": notify.split(), "reassign": reassign}


async def held(quiet: tuple[Isolated, Desk], *rungs: dict[str, Any], owner: str | None = "ana") -> FrozenTicket:
    """Ana's ticket under a ladder of these rungs."""
    _, desk = quiet
    acme = await desk.merchant()
    await redefine(desk, acme, ConfigurationKind.LADDER, rungs=list(rungs))
    row = await opened(desk, acme)
    if owner:
        async with row.at(NOON) as ticket:
            await assign_by_hand(ticket, acme.agents[owner])
    return row


async def agent_replied(frozen: FrozenTicket) -> FrozenTicket:
    async with frozen.at(NOON + SECOND, frozen.ana) as ticket:
        await reply(ticket, "We look into it.")
    return frozen


@pytest.mark.parametrize(
    ("rungs", "second", "notifications"),
    [
        ([], 7.5, ["sla_warning Ana"]),
        ([rung(0.75, "lead")], 7.5, ["escalated Ana", "escalated Lars"]),
        ([], 10, ["sla_breached Ana", "sla_breached Lars"]),
        ([rung(1, "senior")], 10, ["escalated Ana", "escalated Sina", "sla_breached Lars"]),
        ([rung(1)], 10, ["escalated Ana", "sla_breached Lars"]),
        ([rung(0.75, "lead"), rung(1, "senior", 2)], 10, ["escalated Ana", "escalated Sina", "sla_breached Lars"]),
        ([rung(1, "lead"), rung(0.5, "assignee", 2, "first_response")], 10, ["escalated Ana", "escalated Lars"]),
    ],
    ids=["no rung", "warned and escalated", "breached", "told others", "told nobody else", "after an outage", "of a metric that is met"],
)
async def test_who_is_told(quiet: tuple[Isolated, Desk], rungs: list[Any], second: float, notifications: list[str]) -> None:
    ticket = await agent_replied(await held(quiet, *rungs))
    await ticket.due(NOON + second * SECOND)
    assert [f"{kind} {name}" for kind, name in await ticket.notifications()] == notifications
    await _rows_agree(ticket.desk, ticket.merchant)


@pytest.mark.parametrize("notify", ["assignee", "senior", ""])
async def test_a_rung_that_would_tell_nobody_tells_the_lead(quiet: tuple[Isolated, Desk], notify: str) -> None:
    ticket = await agent_replied(await held(quiet, rung(1, notify), owner=None))
    await ticket.due(NOON + 10 * SECOND)
    told = {name for _, name in await ticket.notifications()}
    assert told == ({"Sina", "Lars"} if notify == "senior" else {"Lars"})


async def test_a_superseded_rung_leaves_the_breach_of_its_metric_to_be_told(quiet: tuple[Isolated, Desk]) -> None:
    ticket = await held(quiet, rung(1, "lead", 1, "first_response"), rung(1, "lead", 2))
    await ticket.due(NOON + 10 * SECOND)
    assert await ticket.notifications() == [("escalated", "Ana"), ("escalated", "Lars"), ("sla_breached", "Ana"), ("sla_breached", "Lars")]
    breached = [
        notification for notification in await rows(ticket.desk, ticket.merchant, Notification) if notification.kind == "sla_breached"
    ]
    assert {notification.context["metric"] for notification in breached} == {"first_response"}


async def test_the_reporter_learns_no_reason_and_no_name(quiet: tuple[Isolated, Desk]) -> None:
    row = await held(quiet, rung(1, "reporter lead", reassign="senior"))
    async with row.at(NOON + SECOND, row.ana) as ticket:
        await escalate_by_hand(ticket, "The customer is a pest", 1)
    notifications = {
        notification.recipient_name: notification
        for notification in await rows(row.desk, row.merchant, Notification)
        if notification.kind == "escalated"
    }
    assert notifications.keys() == {"Ana", "Sina", "Lars", "Rita"}
    assert notifications["Rita"].context == {"level": 1, "metric": "resolution", "dueAt": DUE, "actorName": None}
    assert notifications["Lars"].context["reason"] == "The customer is a pest"


async def test_a_notification_says_when_the_metric_is_due_and_not_the_rung(quiet: tuple[Isolated, Desk]) -> None:
    ticket = await agent_replied(await held(quiet, rung(0.75, "lead")))
    await ticket.due(NOON + 7.5 * SECOND)
    escalated = [
        notification for notification in await rows(ticket.desk, ticket.merchant, Notification) if notification.kind == "escalated"
    ]
    assert {notification.context["dueAt"] for notification in escalated} == {DUE}
