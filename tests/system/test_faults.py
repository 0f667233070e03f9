"""What a fault must not do: lose a ticket, or take a rung twice."""

import asyncio
import signal
from datetime import timedelta

import asyncpg
import pytest

from models.platform.settings import WorkerQueue
from models.tickets.tables import Event, Ticket
from tests.support.auditor import audit, rows
from tests.support.desk import working_desk
from tests.support.isolated import Isolated, desk_without_a_worker, worker_process
from tests.system.verbs import told


async def test_tickets_opened_while_temporal_is_down_get_their_workflows_afterwards(isolated: Isolated) -> None:
    environment = await isolated.environment()
    parts = (environment, isolated.urls, isolated.identity, isolated.jwks_url, isolated.smtp_port, isolated.mails)
    async with working_desk(*parts) as desk:
        acme = await desk.merchant()
        isolated.temporal.stop()
        opened = [await acme.open(category="general", subject=f"Till {number}") for number in range(10)]
        await asyncio.to_thread(isolated.temporal.start)
        tickets = await desk.until(lambda: rows(desk, acme, Ticket), lambda all_: all(ticket.assignee_id for ticket in all_), seconds=60)
        assert {str(ticket.id) for ticket in tickets} == {ticket["id"] for ticket in opened}
        await audit(desk, acme)
        assert (await told(desk, acme, opened[0], "ticket_received")) == ["Rita"]


async def test_a_refusing_database_delays_a_ticket_and_does_not_end_its_workflow(isolated: Isolated) -> None:
    parts = (await isolated.environment(), isolated.urls, isolated.identity, isolated.jwks_url, isolated.smtp_port, isolated.mails)
    async with working_desk(*parts) as desk:
        acme = await desk.merchant()
        await as_owner(isolated, "REVOKE UPDATE ON ticket FROM helpdesk_app")
        ticket = await acme.open(category="general")
        await desk.until(lambda: desk.history(f"ticket-{ticket['id']}"), lambda events: "activity_task_scheduled" in events)
        await as_owner(isolated, "GRANT UPDATE ON ticket TO helpdesk_app")
        await desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["assigneeId"] is not None)
        await audit(desk, acme)


async def as_owner(isolated: Isolated, statement: str) -> None:
    connection = await asyncpg.connect(isolated.postgres.url("helpdesk_owner", isolated.database))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.slow
async def test_a_worker_killed_between_an_escalations_commit_and_its_completion_escalates_once(isolated: Isolated) -> None:
    async with desk_without_a_worker(isolated) as desk:
        acme = await desk.merchant()
        desk.clock.ahead = -timedelta(minutes=1)  # every rung is due when the ticket is opened
        ticket = await acme.open()
        desk.clock.ahead = timedelta()
        # No notifications: one that is under way when a worker dies is another test's subject.
        async with worker_process(isolated, "tests.system.doomed_worker", [WorkerQueue.TICKETS]) as doomed:
            assert await asyncio.wait_for(doomed.wait(), 60) == -signal.SIGKILL
        committed = await rows(desk, acme, Event)
        assert (await acme.get(ticket["id"]))["assigneeId"] == str(acme.agents["lars"])

        async with worker_process(isolated, "deploy"):
            await audit(desk, acme)
        assert [event.id for event in await rows(desk, acme, Event)] == [event.id for event in committed]
        assert (await acme.get(ticket["id"]))["assigneeId"] == str(acme.agents["lars"])
        assert [event.kind for event in committed].count("escalation.reassigned") == 1
        assert await told(desk, acme, ticket, "escalated") == ["Ana", "Lars"]
        caught = [mail.message_id for mail in desk.emails()]
        notifications = (await acme.get(ticket["id"], "/notifications"))["data"]
        assert [caught.count(f"<notification-{each['id']}@desk.test>") for each in notifications] == [1] * len(notifications)
