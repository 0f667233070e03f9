"""A worker process serves the queues that it was given, with the relay that brings their work, and no others."""

import asyncio

from models.notifications.tables import Notification
from models.platform.settings import WorkerQueue
from models.tickets.tables import Ticket
from tests.support.auditor import audit, rows
from tests.support.isolated import Isolated, still_desk, worker_process


async def test_each_queue_may_have_a_process_of_its_own(isolated: Isolated) -> None:
    async with still_desk(isolated) as desk:
        acme = await desk.merchant()
        await acme.open(category="general")
        async with worker_process(isolated, "deploy", [WorkerQueue.NOTIFICATIONS]):
            await desk.until(lambda: rows(desk, acme, Notification), lambda all_: all(n.status == "sent" for n in all_), seconds=60)
            await asyncio.sleep(1.5)  # longer than a relay waits between two looks
            assert [ticket.assignee_id for ticket in await rows(desk, acme, Ticket)] == [None]
            async with worker_process(isolated, "deploy", [WorkerQueue.TICKETS]):
                await desk.until(lambda: rows(desk, acme, Ticket), lambda all_: all(t.assignee_id for t in all_), seconds=60)
                await audit(desk, acme)
        assert {n.kind for n in await rows(desk, acme, Notification)} == {"ticket_received", "ticket_assigned"}
