"""What has not left and has become pointless is not sent."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col
from temporalio.testing import ActivityEnvironment

from activities.email.smtp import SmtpServer
from activities.notification import DeliveryActivities
from models.notifications.delivery_log import begin_attempt
from models.notifications.kinds import NotificationKind
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification, RecipientKind
from models.platform.settings import MailSecurity
from models.sla.escalate import acknowledge, escalate_by_hand
from models.tickets.assign import assign_by_hand
from models.tickets.deletion import delete
from models.tickets.lifecycle import Transition
from models.tickets.transitions import transition
from tests.support.auditor import rows
from tests.support.frozen import NOON, SECOND, FrozenTicket

NOWHERE = SmtpServer(host="127.0.0.1", port=1, security=MailSecurity.NONE, timeout=1)


@pytest.fixture
async def escalated(frozen: FrozenTicket) -> FrozenTicket:
    """Ana's ticket, on which a person took the first rung; nothing has left."""
    async with frozen.at(NOON) as ticket:
        await assign_by_hand(ticket, frozen.merchant.agents["ana"])
    async with frozen.at(NOON + SECOND, frozen.ana) as ticket:
        await escalate_by_hand(ticket, "It burns", 1)
    return frozen


async def waiting(ticket: FrozenTicket) -> set[str]:
    return await having(ticket, NotificationStatus.PENDING)


async def having(ticket: FrozenTicket, status: NotificationStatus) -> set[str]:
    return {each.kind for each in await rows(ticket.desk, ticket.merchant, Notification) if each.status is status}


async def test_a_deleted_ticket_sends_nothing_that_waited(escalated: FrozenTicket) -> None:
    async with escalated.at(NOON + 20 * SECOND, escalated.ana) as ticket:  # both clocks are overdue: their breach is recorded by the way
        delete(ticket)
    assert await waiting(escalated) == set()
    assert {"ticket_received", "ticket_assigned", "escalated", "sla_breached"} <= await having(escalated, NotificationStatus.CANCELLED)


async def test_a_closed_ticket_urges_nobody(escalated: FrozenTicket) -> None:
    async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
        await transition(ticket, Transition.CLOSE)
    assert await having(escalated, NotificationStatus.CANCELLED) == {"escalated"}
    assert {"ticket_received", "ticket_assigned"} <= await waiting(escalated)


async def test_of_an_acknowledged_rung_no_agent_is_told_any_more(escalated: FrozenTicket) -> None:
    async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
        acknowledge(ticket, None)
    told = [each for each in await rows(escalated.desk, escalated.merchant, Notification) if each.kind == "escalated"]
    assert {each.status for each in told if each.recipient_kind is RecipientKind.AGENT} == {NotificationStatus.CANCELLED}
    assert await having(escalated, NotificationStatus.CANCELLED) == {"escalated"}


@pytest.mark.parametrize(("digest", "cancelled"), [("pending", {"escalated"}), ("sent", set())])
async def test_what_waits_for_its_digest_is_cancelled_and_what_one_has_told_is_not(
    escalated: FrozenTicket, digest: str, cancelled: set[str]
) -> None:
    await hold_all_back(escalated, NotificationStatus(digest))
    async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
        await transition(ticket, Transition.CLOSE)
    assert await having(escalated, NotificationStatus.CANCELLED) == cancelled
    assert {"ticket_received", "ticket_assigned"} <= await having(escalated, NotificationStatus.IN_DIGEST)


async def hold_all_back(ticket: FrozenTicket, digest: NotificationStatus) -> None:
    """All that waits is left to its address's digest, which is as far as ``digest`` says."""
    first_of_each = {each.address: each.model_dump() for each in reversed(await rows(ticket.desk, ticket.merchant, Notification))}
    async with ticket.desk.database.writing(ticket.merchant.id) as session:
        for address, first in first_of_each.items():
            digest_id = session.new_id()
            held = {"digest_id": digest_id, "status": NotificationStatus.IN_DIGEST, "settled_at": NOON}
            await session.execute(sa.update(Notification).where(col(Notification.address) == address).values(**held))
            session.append(Notification, **first | {"id": digest_id, "kind": NotificationKind.DIGEST, "status": digest})
        await session.write()


async def test_what_was_sent_stays_sent(escalated: FrozenTicket) -> None:
    async with escalated.desk.database.writing(escalated.merchant.id) as session:
        sent = col(Notification.kind) == "ticket_received"
        await session.execute(sa.update(Notification).where(sent).values(status=NotificationStatus.SENT))
    async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
        delete(ticket)
    assert await having(escalated, NotificationStatus.SENT) == {"ticket_received"}


async def test_an_attempt_that_is_under_way_goes_on(escalated: FrozenTicket) -> None:
    (one, *_) = await rows(escalated.desk, escalated.merchant, Notification)
    ref = DeliveryRef(merchant_id=one.merchant_id, notification_id=one.id)
    async with escalated.desk.database.writing(one.merchant_id) as session:
        await begin_attempt(session, ref, "delivery-of-a-test")
    async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
        delete(ticket)
    still = [each.id for each in await rows(escalated.desk, escalated.merchant, Notification) if each.status is NotificationStatus.PENDING]
    assert still == [one.id]


async def test_an_attempt_that_begins_in_the_same_instant_goes_on(escalated: FrozenTicket) -> None:
    (one, *_) = await rows(escalated.desk, escalated.merchant, Notification)

    async def delete_it() -> None:
        async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
            delete(ticket)

    async with escalated.desk.database.writing(one.merchant_id) as session:
        await begin_attempt(session, DeliveryRef(merchant_id=one.merchant_id, notification_id=one.id), "delivery-of-a-test")
        deleting = asyncio.create_task(delete_it())
        await asyncio.sleep(0.3)
        assert not deleting.done()
    await deleting
    assert (await rows(escalated.desk, escalated.merchant, Notification, col(Notification.id) == one.id))[0].status == "pending"


async def test_a_cancelled_notification_is_not_delivered_and_gets_no_attempt(escalated: FrozenTicket) -> None:
    async with escalated.at(NOON + 2 * SECOND, escalated.ana) as ticket:
        delete(ticket)
    (one, *_) = await rows(escalated.desk, escalated.merchant, Notification)
    ref = DeliveryRef(merchant_id=one.merchant_id, notification_id=one.id)
    assert await delivered(escalated, ref) == "cancelled"
    async with escalated.desk.database.writing(one.merchant_id) as session:
        assert await begin_attempt(session, ref, "delivery-of-a-test") is None


async def delivered(ticket: FrozenTicket, ref: DeliveryRef) -> Any:
    """What the activity answers, with a mail server that is not there."""
    links: Any = {"public_url": "http://desk.test", "signing_keys": ("k" * 32,), "hourly_limit": 60}
    worker = DeliveryActivities(ticket.desk.database, NOWHERE, sender="a@desk.test", **links)
    return await ActivityEnvironment().run(worker.deliver, ref)
