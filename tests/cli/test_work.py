"""Tickets, checks, notifications and jobs, by the command line, on a desk that works."""

import asyncio
import socket
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from tests.support.command_line import CommandLine
from tests.support.desk import Desk, Merchant

SPENT = {"total": 1, "status": "done"}


async def dead_letter(desk: Desk, acme: Merchant) -> tuple[str, dict[str, Any]]:
    """A dead letter, and its ticket."""
    ticket = await acme.opened_and_assigned(category="general")
    page = await desk.until(lambda: acme.get(ticket["id"], "/notifications"), lambda seen: all(n["status"] == "sent" for n in seen["data"]))
    id_ = page["data"][0]["id"]
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Notification).where(col(Notification.id) == int(id_)).values(status=NotificationStatus.DEAD))
    return id_, ticket


async def test_the_story_of_a_ticket_on_one_screen(helpdesk: CommandLine, desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await acme.lars.post(f"/tickets/{ticket['id']}/escalate", json={"reason": "It burns.", "level": 1})
    shown = await helpdesk("tickets", "show", ticket["id"])
    assert shown.code == 0, shown.err
    for heading in (f"Ticket {ticket['id']}", "Clocks", "Ladder", "Notifications", "Workflow"):
        assert heading in shown.out
    for part in ("The till does not open", "first_response", "manual", "ticket_received", f"ticket-{ticket['id']}", "running"):
        assert part in shown.out
    story = (await helpdesk("tickets", "show", str(ticket["number"]), "--json")).json
    assert (story["ticket"]["id"], story["workflow"]["status"], story["ladder"][0]["level"]) == (ticket["id"], "running", 1)
    assert {each["metric"] for each in story["clocks"]} >= {"first_response", "resolution"}
    assert ([each["name"] for each in story["agents"]], story["team"]["name"]) == (["Ana"], "Support")
    assert f"Ana ({story['ticket']['assigneeId']})" in shown.out


async def test_by_its_id_a_ticket_is_found_without_the_merchant(anywhere: CommandLine, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    story = await anywhere("tickets", "show", ticket["id"], "--json")
    assert (story.code, story.json["ticket"]["merchantId"]) == (0, str(acme.id)), story.err
    for words, temporal in ((ticket["id"], "127.0.0.1:1"), (str(ticket["number"]), None)):
        asked = await anywhere("tickets", "show", words, **({"APP_ENV_TEMPORAL_ADDRESS": temporal} if temporal else {}))
        assert (asked.code, "--merchant" in asked.err) == (5, True)


async def test_it_is_told_without_temporal_too(helpdesk: CommandLine, acme: Merchant) -> None:
    ticket = await acme.open(category="general")
    story = await helpdesk("tickets", "show", ticket["id"], "--json", APP_ENV_TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (story.code, "can't be" in story.json["workflow"]["status"]) == (0, True)


async def test_a_temporal_that_stands_still_holds_nobody_up(helpdesk: CommandLine, acme: Merchant) -> None:
    """Its port is open, and nothing comes back."""
    ticket = await acme.open(category="general")
    silent = socket.create_server(("127.0.0.1", 0))
    address = {"APP_ENV_TEMPORAL_ADDRESS": f"127.0.0.1:{silent.getsockname()[1]}"}
    with silent:
        async with asyncio.timeout(25):  # by itself its client gives up after thirty seconds
            story = await helpdesk("tickets", "show", ticket["id"], "--json", **address)
            asked = await helpdesk("reconcile", "--seconds", "1", **address)
    assert (story.code, "can't be reached" in story.json["workflow"]["status"]) == (0, True)
    assert (asked.code, "can't be reached" in asked.err) == (6, True)


async def test_tickets_are_found(helpdesk: CommandLine, acme: Merchant, globex: Merchant) -> None:
    ticket = await acme.open(category="general")
    await globex.open(category="general")
    assert [each["id"] for each in (await helpdesk("tickets", "list", "--status", "new,open", "--json")).json] == [ticket["id"]]
    assert (await helpdesk("tickets", "list", "--sla", "breached", "--json")).json == []
    assert (await helpdesk("tickets", "show", "#99999")).code == 3
    gone = await helpdesk("tickets", "show", "9" * 18)
    assert (gone.code, "[not_found]" in gone.err) == (3, True)
    assert (await helpdesk("tickets", "show", "seven")).code == 5
    assert (await helpdesk("tickets", "list", "--status", "sleeping")).code == 5


async def test_a_check_of_one_of_a_merchant_and_of_all(helpdesk: CommandLine, anywhere: CommandLine, acme: Merchant) -> None:
    ticket = await acme.open(category="general")
    one = await helpdesk("sla", "check", "--ticket", ticket["id"], "--watch", "--json")
    assert (one.code, one.json["kind"], one.json["done"]) == (0, "sla_check", 1)
    assert (await helpdesk("sla", "check", "--watch")).code == 0
    of_all = await anywhere("sla", "check", "--all", "--watch", "--json")
    assert (of_all.code, of_all.json["kind"], of_all.json["done"]) == (0, "all_sla_checks", of_all.json["total"])
    assert of_all.json["id"] in [each["id"] for each in (await anywhere("jobs", "list", "--json")).json]
    assert (await helpdesk("sla", "check", "--all")).code == 2


async def test_an_agents_tickets_are_handed_over(helpdesk: CommandLine, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    leo = str(acme.agents["leo"])
    ended = await helpdesk("agents", "handover", ticket["assigneeId"], "--to", str(acme.agents["sina"]), "--watch", "--json")
    assert (ended.code, ended.json["changed"]) == (0, 1)
    assert (await acme.get(ticket["id"]))["assigneeId"] == str(acme.agents["sina"])
    at_risk = await helpdesk("agents", "handover", leo, "--at-risk", "--json")
    assert at_risk.json["request"] == {"agentId": leo, "tickets": "at_risk"}


async def test_dead_letters_are_listed_and_replayed(helpdesk: CommandLine, desk: Desk, acme: Merchant) -> None:
    id_, ticket = await dead_letter(desk, acme)
    listed = await helpdesk("notifications", "list", "--filter", "status=dead")
    assert (listed.code, id_ in listed.out, ticket["id"] in listed.out) == (0, True, True)
    words = ("--filter", "status=dead", "--filter", f"ticketId={ticket['id']}")
    replayed = await helpdesk("notifications", "replay", *words, "--watch", "--json")
    assert (replayed.code, replayed.json["changed"]) == (0, 1)
    assert replayed.json["result"] == {"replayedNotificationIds": [id_]}
    entries = (await acme.adam.get("/audit", params={"kind": "job.begun"})).json()["data"]
    assert entries[0]["actor"]["name"] == "Command line"


async def test_one_is_replayed_once(helpdesk: CommandLine, desk: Desk, acme: Merchant) -> None:
    id_, _ = await dead_letter(desk, acme)
    assert (await helpdesk("notifications", "replay", id_, "--json")).json["id"] == id_
    again = await helpdesk("notifications", "replay", id_)
    assert (again.code, "[not_dead]" in again.err) == (5, True)


@pytest.mark.parametrize("words", [(), ("9", "--filter", "status=dead"), ("--filter", "dead"), ("--filter", "color=red")])
async def test_a_replay_says_which(words: tuple[str, ...], helpdesk: CommandLine) -> None:
    assert (await helpdesk("notifications", "replay", *words)).code == 2


async def test_a_job_is_watched_paused_resumed_and_cancelled(helpdesk: CommandLine, acme: Merchant) -> None:
    begun = await helpdesk("sla", "check", "--json")
    job = begun.json["id"]
    watched = await helpdesk("jobs", "watch", job)
    assert (watched.code, "sla_check" in watched.out, "done" in watched.err) == (0, True, True)
    shown = await helpdesk("jobs", "show", job)
    assert (shown.code, "sla_check" in shown.out) == (0, True)
    for verb in ("pause", "resume", "cancel"):
        over = await helpdesk("jobs", verb, job)
        assert (over.code, "[job_is_over]" in over.err) == (5, True)
    assert (await helpdesk("jobs", "show", "9")).code == 3
    assert (await helpdesk("jobs", "show", job, HELPDESK_MERCHANT=None)).code == 3
