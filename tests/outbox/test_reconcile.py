"""What was lost is found and sent again, and counted; in a healthy system there is nothing to find."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from activities import maintenance as activity
from activities.maintenance import MaintenanceActivities
from models.db.pool import Limits
from models.db.session import Database
from models.notifications.tables import Notification
from models.outbox import lost
from models.outbox.messages import Healed, ReconciliationAt
from models.outbox.tables import Healing, Outbox
from models.people.tables import Agent
from models.tickets.assignment import Availability
from models.tickets.tables import Ticket
from tests.support.auditor import rows
from tests.support.counted import counted
from tests.support.desk import NODE, Desk, Merchant
from tests.support.isolated import Isolated


@pytest.fixture
async def alone(quiet: tuple[Isolated, Desk]) -> None:
    """Nothing of another test is overdue, whatever this one says the time is."""
    script = "DELETE FROM outbox; DELETE FROM healing; UPDATE ticket SET next_deadline_at = NULL"
    await asyncio.to_thread(quiet[0].postgres.psql, script, quiet[0].database)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run has time for all that it finds, however slow this machine is; and no traceback is drawn with its locals: that takes seconds."""
    each_look_takes(0, monkeypatch)
    with capture_logs():
        yield


async def lose(isolated: Isolated, acme: Merchant) -> None:
    """Lose what Temporal has not heard yet, by a hand that may do anything."""
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

    healed = [counted("helpdesk_reconciliation_healed_total", topic=topic) for topic in ("ticket", "delivery")]
    with capture_logs() as lines:
        assert await maintenance.reconcile(later) == Healed(tickets=1, deliveries=1, keys_expired=0)
    now = [counted("helpdesk_reconciliation_healed_total", topic=topic) for topic in ("ticket", "delivery")]
    assert now == [count + 1 for count in healed]
    said = [line for line in lines if line["event"].startswith("reconcile.")]
    assert [line["event"] for line in said] == ["reconcile.sent_again"] * 2 + ["reconcile.healed"]
    assert [line.get("merchant_id") for line in said] == [acme.id, acme.id, None]
    assert (said[0]["ticket_id"], said[1]["notification_id"], said[2]["tickets"]) == (int(ticket["id"]), notification.id, 1)
    waiting = {row.key: row for row in await rows(desk, acme, Outbox)}
    assert set(waiting) == {f"ticket-{ticket['id']}", f"notification-{notification.id}"}
    assert waiting[f"ticket-{ticket['id']}"].version > before.facts_version
    again = await maintenance.reconcile(later)
    assert (again.tickets, again.deliveries) == (0, 0)
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


async def unreadable(desk: Desk, acme: Merchant, number: int) -> list[str]:
    """Tickets that nothing can be done with: they are pinned to a version that is not there."""
    opened = [(await acme.open())["id"] for _ in range(number)]
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Ticket).values(policy_version=99))
    return opened


async def test_tickets_that_cannot_be_acted_on_are_tried_ever_less_often_and_counted(
    alone: None, quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities
) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    await send_everybody_away(desk, acme)
    await unreadable(desk, acme, 3)
    await lose(isolated, acme)
    start = desk.clock.now() + timedelta(days=1)
    runs = [await maintenance.reconcile(ReconciliationAt(at=start + timedelta(minutes=minute))) for minute in range(16)]
    assert [minute for minute, healed in enumerate(runs) if healed.tickets == 3] == [0, 2, 6, 14]
    assert [healed.stuck for healed in runs[1:]] == [3] * 15
    assert 24 * 3600 < runs[1].stuck_seconds < runs[15].stuck_seconds == runs[1].stuck_seconds + 14 * 60


async def test_tickets_that_cannot_be_acted_on_do_not_hide_one_that_was_lost(
    alone: None, quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    await send_everybody_away(desk, acme)
    await unreadable(desk, acme, 3)
    monkeypatch.setattr(lost, "CLAIMED_AT_ONCE", 3)
    each_look_takes(0.45, monkeypatch)  # three tickets a run
    await lose(isolated, acme)
    start = desk.clock.now() + timedelta(days=2)
    await maintenance.reconcile(ReconciliationAt(at=start))
    sound = await acme.open()
    await lose(isolated, acme)
    await maintenance.reconcile(ReconciliationAt(at=start + timedelta(minutes=2)))
    assert f"ticket-{sound['id']}" in {row.key for row in await rows(desk, acme, Outbox)}


def each_look_takes(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds it so much later."""
    monkeypatch.setattr(activity, "time", SimpleNamespace(monotonic=count(0, seconds).__next__))


async def test_a_merchant_whose_ticket_is_locked_holds_up_no_other_and_the_claim_costs_it_nothing(
    alone: None, quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated, desk = quiet
    acme, globex = await lost_tickets(isolated, desk, 4, 1)
    usual, hasty = desk.database, Database(isolated.urls[0], pool_size=2, node=NODE, limits=Limits(lock=0.2))
    monkeypatch.setattr(maintenance, "_database", hasty)
    later = ReconciliationAt(at=desk.clock.now() + timedelta(hours=1))
    async with desk.database.reading(acme.id) as frozen:
        await frozen.execute(sa.select(Ticket).with_for_update())
        healed = await maintenance.reconcile(later)
    await hasty.aclose()
    assert healed.tickets == 2
    assert [len(await rows(desk, merchant, Outbox)) for merchant in (acme, globex)] == [0, 1]
    assert sorted(known.attempts for known in await rows(desk, acme, Healing)) == [0, 0, 0, 1]
    monkeypatch.setattr(maintenance, "_database", usual)
    again = await maintenance.reconcile(later)
    assert (again.tickets, again.stuck) == (3, 2)  # each merchant's first was tried before
    await lose(isolated, acme)


async def test_a_database_that_is_away_uses_up_no_try(
    alone: None, quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated, desk = quiet
    (acme,) = await lost_tickets(isolated, desk, 2)
    away = Database("postgresql:///helpdesk?user=helpdesk_app&host=/nowhere", pool_size=1, node=NODE)
    monkeypatch.setattr(maintenance, "_database", away)
    with pytest.raises(OSError, match="No such file"):
        await maintenance.reconcile(ReconciliationAt(at=desk.clock.now() + timedelta(hours=1)))
    await away.aclose()
    assert [known.attempts for known in await rows(desk, acme, Healing)] == [0, 0]


async def test_one_merchants_flood_does_not_hide_what_another_has_lost(
    alone: None, quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated, desk = quiet
    acme, globex = await lost_tickets(isolated, desk, 4, 1)
    monkeypatch.setattr(lost, "CLAIMED_AT_ONCE", 2)
    async with maintenance._across.connect() as connection:
        claimed = await lost.claim_lost(connection, lost.LOST_TICKETS, desk.clock.now() + timedelta(hours=1))
    assert {merchant_id for merchant_id, _ in claimed} == {acme.id, globex.id}


async def test_a_run_ends_in_the_middle_of_a_claim_and_the_next_goes_on(
    alone: None, quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated, desk = quiet
    await lost_tickets(isolated, desk, 5)
    each_look_takes(0.45, monkeypatch)
    later = ReconciliationAt(at=desk.clock.now() + timedelta(hours=1))
    assert [(await maintenance.reconcile(later)).tickets for _ in range(3)] == [3, 2, 0]


async def lost_tickets(isolated: Isolated, desk: Desk, *counts: int) -> list[Merchant]:
    """So many tickets of a merchant each, of which Temporal never heard."""
    merchants = [await desk.merchant() for _ in counts]
    for merchant, number in zip(merchants, counts, strict=True):
        await send_everybody_away(desk, merchant)
        for _ in range(number):
            await merchant.open()
        await lose(isolated, merchant)
    return merchants


async def deliveries_that_run(desk: Desk, notification_id: int) -> list[str]:
    """The workflows that were started for a notification which travelled first in its bag."""
    prefix = f"delivery-{notification_id}-"
    found = desk.client.list_workflows(f'WorkflowId STARTS_WITH "{prefix}" AND ExecutionStatus = "Running"')
    return [each.id async for each in found]
