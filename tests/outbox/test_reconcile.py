"""What was lost is found and sent again, and counted; in a healthy system there is nothing to find."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from activities.maintenance import MaintenanceActivities
from models.notifications.tables import Notification
from models.outbox.messages import Healed, ReconciliationAt
from models.outbox.tables import Outbox
from models.people.tables import Agent
from models.tickets.assignment import Availability
from models.tickets.tables import Ticket
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated


@pytest.fixture
async def maintenance(quiet: tuple[Isolated, Desk]) -> AsyncIterator[MaintenanceActivities]:
    isolated, desk = quiet
    activities = MaintenanceActivities(desk.database, isolated.urls[1])
    yield activities
    await activities.aclose()


async def lose(isolated: Isolated, acme: Merchant) -> None:
    """Lose what the engine has not heard yet, by a hand that may do anything."""
    script = f"DELETE FROM outbox WHERE merchant_id = {acme.id}"  # noqa: S608 - a number of ours
    await asyncio.to_thread(isolated.postgres.psql, script, isolated.database)


async def send_everybody_away(desk: Desk, acme: Merchant) -> None:
    """So that what waits in the queue is not given to anybody by the way."""
    async with desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Agent).values(availability=Availability.AWAY))


async def test_a_lost_ticket_and_a_lost_notification_are_found_once(
    quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities
) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    await send_everybody_away(desk, acme)
    ticket = await acme.open()
    (before,) = await rows(desk, acme, Ticket)
    (notification,) = await rows(desk, acme, Notification)
    await lose(isolated, acme)
    later = ReconciliationAt(at=desk.clock.now() + timedelta(hours=4))

    assert await maintenance.reconcile(later) == Healed(tickets=1, deliveries=1, keys_expired=0)
    waiting = {row.key: row for row in await rows(desk, acme, Outbox)}
    assert set(waiting) == {f"ticket-{ticket['id']}", f"notification-{notification.id}"}
    assert waiting[f"ticket-{ticket['id']}"].version > before.facts_version
    assert await maintenance.reconcile(later) == Healed(tickets=0, deliveries=0, keys_expired=0)
    await lose(isolated, acme)


async def test_what_is_not_overdue_is_left_alone(quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    await acme.open()
    await lose(isolated, acme)
    assert await maintenance.reconcile(ReconciliationAt(at=desk.clock.now())) == Healed(tickets=0, deliveries=0, keys_expired=0)


async def test_a_lost_ticket_gets_its_workflow_from_what_was_healed(
    quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities
) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    ticket = await acme.open()
    await lose(isolated, acme)
    healed = await maintenance.reconcile(ReconciliationAt(at=desk.clock.now() + timedelta(hours=4)))
    assert healed.tickets >= 1
    await desk.relay_once()
    description = await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").describe()
    assert description.workflow_type == "Ticket"


async def test_who_is_back_without_a_word_gets_what_waits(quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities) -> None:
    """An absence that ended by itself wakes nobody: the reconciliation notices it."""
    isolated, desk = quiet
    acme = await desk.merchant()
    await send_everybody_away(desk, acme)
    ticket = await acme.open()
    async with desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Agent).values(away_until=desk.clock.now() + timedelta(minutes=1)))
    await maintenance.reconcile(ReconciliationAt(at=desk.clock.now()))
    assert (await acme.get(ticket["id"]))["assigneeId"] is None
    await maintenance.reconcile(ReconciliationAt(at=desk.clock.now() + timedelta(minutes=2)))
    assert (await acme.get(ticket["id"]))["assigneeId"] is not None
    await lose(isolated, acme)


async def test_a_notification_whose_workflow_was_terminated_gets_another(
    quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities
) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await send_everybody_away(desk, acme)
    await acme.open()
    while await rows(desk, acme, Outbox):
        await desk.relay_once()
    (notification,) = await rows(desk, acme, Notification)
    (lost,) = await desk.until(lambda: deliveries_that_run(desk, notification.id), bool)
    await desk.client.get_workflow_handle(lost).terminate("an operator's slip")
    await maintenance.reconcile(ReconciliationAt(at=desk.clock.now() + timedelta(hours=4)))
    while await rows(desk, acme, Outbox):
        await desk.relay_once()
    await desk.until(lambda: deliveries_that_run(desk, notification.id), lambda running: running not in ([], [lost]))


async def test_a_notification_whose_tries_go_on_is_not_lost(quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities) -> None:
    """A replay of an old notification begins anew: it is not overdue by the notification's age."""
    isolated, desk = quiet
    acme = await desk.merchant()
    await send_everybody_away(desk, acme)
    await acme.open()
    (notification,) = await rows(desk, acme, Notification)
    now = desk.clock.now()
    async with desk.database.reading(acme.id) as session:
        old = {"created_at": now - timedelta(days=3), "posted_at": now - timedelta(minutes=5)}
        await session.execute(sa.update(Notification).values(old))
    await lose(isolated, acme)
    assert (await maintenance.reconcile(ReconciliationAt(at=now))).deliveries == 0
    assert (await maintenance.reconcile(ReconciliationAt(at=now + timedelta(hours=4)))).deliveries == 1
    assert (await rows(desk, acme, Notification))[0].posted_at == now + timedelta(hours=4)
    assert notification.status == "pending"
    await lose(isolated, acme)


async def deliveries_that_run(desk: Desk, notification_id: int) -> list[str]:
    """The workflows that were started for a notification which travelled first in its bag."""
    prefix = f"delivery-{notification_id}-"
    found = desk.client.list_workflows(f'WorkflowId STARTS_WITH "{prefix}" AND ExecutionStatus = "Running"')
    return [each.id async for each in found]
