"""Deliveries against servers that refuse, vanish and change their mind, through the real workflow."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs

from activities.notification import lost_after
from deploy.local.identity import DevelopmentIdentity
from deploy.local.postgres import EmbeddedPostgres
from models.audit import SYSTEM, Change
from models.notifications.delivery_log import begin_attempt, replay
from models.notifications.messages import DeliveryBatch, DeliveryRef
from models.notifications.tables import DeliveryAttempt, Notification
from models.tickets.search_attributes import MERCHANT_SLUG
from tests.support.auditor import audit
from tests.support.counted import counted
from tests.support.desk import Desk, Merchant, working_desk
from tests.support.isolated import Isolated, empty_database, migrated, workflow_server
from tests.support.mail_server import Mailbox, Trick, drop, say, serving

LATER = "451 4.3.0 Try again later"
NOBODY = "550 5.1.1 No such mailbox"


class Post(NamedTuple):
    desk: Desk
    mailbox: Mailbox

    async def outcome(self, acme: Merchant, ticket: dict[str, Any], kind: str = "ticket_received") -> Any:
        """The notification of ``kind`` once it is settled."""

        async def look() -> Any:
            notifications = (await acme.get(ticket["id"], "/notifications"))["data"]
            return next((notification for notification in notifications if notification["kind"] == kind), None)

        return await self.desk.until(look, lambda notification: bool(notification) and notification["status"] != "pending")


@pytest.fixture(scope="module")
async def bad_post(
    postgres: EmbeddedPostgres,
    identity: DevelopmentIdentity,
    jwks_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Post]:
    """A whole desk whose mail server is ours to spoil."""
    folder: Path = tmp_path_factory.mktemp("post")
    with empty_database(postgres, "post") as database, workflow_server(folder / "engine") as server:
        await migrated(postgres, database)
        async with serving() as mailbox:
            isolated = Isolated(postgres, database, server, identity, jwks_url, mailbox.port, folder)
            parts = (await isolated.environment(), isolated.urls, identity, jwks_url, mailbox.port, folder)
            async with working_desk(*parts) as desk:
                yield Post(desk, mailbox)


@pytest.fixture
def post(bad_post: Post) -> Post:
    """The same, behaving well until a test says otherwise."""
    bad_post.desk.clock.ahead = timedelta()
    bad_post.mailbox.tricks.clear()
    bad_post.mailbox.emails.clear()
    return bad_post


async def test_a_server_that_refuses_five_times_makes_a_dead_letter_and_delays_no_escalation(post: Post) -> None:
    post.mailbox.tricks["RCPT"] = say(LATER)
    acme = await post.desk.merchant()
    tried = counted("helpdesk_delivery_attempts_total", channel="email", outcome="transient")
    dead = counted("helpdesk_notifications_total", kind="ticket_received", channel="email", outcome="dead")
    post.desk.clock.ahead = -timedelta(minutes=1)  # every rung is due when the ticket is opened
    ticket = await acme.open()
    post.desk.clock.ahead = timedelta()
    await post.desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["escalationLevel"] == 3)
    notification = await post.outcome(acme, ticket)
    taken = (await acme.get(ticket["id"], "/escalations"))["data"]
    assert all(escalation["takenAt"] < notification["settledAt"] for escalation in taken)
    assert notification["status"] == "dead"
    assert [(a["attempt"], a["outcome"], a["code"]) for a in notification["attempts"]] == [(n, "transient", 451) for n in range(1, 6)]
    await audit(post.desk, acme)
    assert await _result(post, acme, notification) == "dead"
    assert counted("helpdesk_delivery_attempts_total", channel="email", outcome="transient") >= tried + 5
    assert counted("helpdesk_notifications_total", kind="ticket_received", channel="email", outcome="dead") == dead + 1


async def test_after_an_ambiguous_end_nobody_sends_a_notification_twice(post: Post) -> None:
    post.mailbox.tricks["DOT"] = drop
    acme = await post.desk.merchant()
    ticket = await acme.open(category="general")
    notification = await post.outcome(acme, ticket)
    assert notification["status"] == "unknown"
    assert [attempt["outcome"] for attempt in notification["attempts"]] == ["unknown"]
    await audit(post.desk, acme)
    assert await _result(post, acme, notification) == "unknown"
    assert _message_ids(post).count(_message_id(notification)) == 1


async def test_a_recipient_who_does_not_exist_is_not_tried_again(post: Post) -> None:
    post.mailbox.tricks["RCPT"] = say(NOBODY)
    acme = await post.desk.merchant()
    with capture_logs() as lines:
        ticket = await acme.open(category="general")
        notification = await post.outcome(acme, ticket)
    assert notification["status"] == "dead"
    dead = [line for line in lines if line["event"] == "notification.dead"]
    said = [(line["log_level"], line["merchant_id"], line["ticket_id"], line["notification_id"]) for line in dead]
    assert said.count(("error", acme.id, int(ticket["id"]), int(notification["id"]))) == 1
    assert "@" not in str(dead)
    assert [(attempt["outcome"], attempt["code"]) for attempt in notification["attempts"]] == [("permanent", 550)]
    await audit(post.desk, acme)


async def test_each_try_of_a_notification_has_the_same_message_id(post: Post) -> None:
    post.mailbox.tricks["DOT"] = _refuse_each_first_time()
    acme = await post.desk.merchant()
    ticket = await acme.open(category="general")
    notification = await post.outcome(acme, ticket)
    assert notification["status"] == "sent"
    assert [attempt["outcome"] for attempt in notification["attempts"]] == ["transient", "sent"]
    assert _message_ids(post).count(_message_id(notification)) == 2
    await audit(post.desk, acme)


async def test_a_workflow_looks_at_the_attempt_of_a_dead_worker_when_it_is_known_to_be_lost(post: Post) -> None:
    acme = await post.desk.merchant()
    post.mailbox.tricks["DOT"] = drop
    ticket = await acme.open(category="general")
    before = await post.outcome(acme, ticket)
    await post.outcome(acme, ticket, "ticket_assigned")  # or it goes in a batch with the replay, and names that batch's workflow
    replayed_at = datetime.now(UTC)
    started_before = sa.func.now() - lost_after(post.mailbox.address(timeout=5)) + timedelta(seconds=5)
    async with post.desk.database.writing(acme.id) as session:
        again = await replay(session, int(before["id"]), Change(by=SYSTEM, at=post.desk.clock.now()))
        await begin_attempt(session, DeliveryRef(merchant_id=acme.id, notification_id=again.id, round=again.round), "of-a-dead-worker")
        await session.execute(
            sa.update(DeliveryAttempt).where(col(DeliveryAttempt.finished_at).is_(None)).values(started_at=started_before)
        )
    after = await post.outcome(acme, ticket)
    assert (after["status"], len(after["attempts"])) == ("unknown", 2)
    events = await post.desk.history(await _workflow_of(post, again, replayed_at))
    assert events.count("timer_started") <= 1  # none where the first look came late
    await audit(post.desk, acme)


async def _workflow_of(post: Post, notification: Notification, since: datetime) -> str:
    """The workflow that was started for the notification since then."""
    query = f"WorkflowId STARTS_WITH 'delivery-{notification.id}-'"

    async def look() -> list[Any]:
        return [each async for each in post.desk.client.list_workflows(query) if each.start_time >= since]

    found = await post.desk.until(look, bool)
    return str(found[0].id)


def _refuse_each_first_time() -> Trick:
    async def trick(protocol: Any) -> None:
        seen = _ids(protocol.mailbox.emails)
        await protocol.say(LATER if seen.count(seen[-1]) == 1 else "250 OK")

    return trick


def _message_ids(post: Post) -> list[str]:
    return _ids(post.mailbox.emails)


def _ids(notifications: list[Any]) -> list[str]:
    return [str(message_from_bytes(notification.content)["Message-ID"]) for notification in notifications]


def _message_id(notification: dict[str, Any]) -> str:
    return f"<notification-{notification['id']}@desk.test>"


async def _result(post: Post, acme: Merchant, notification: dict[str, Any]) -> str:
    """What the workflow that had the notification says of it."""
    handle = post.desk.client.get_workflow_handle(await post.desk.delivery_of(acme, notification["id"]))
    result: list[str] = await handle.result()
    carried = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes.input.payloads[0]
    place = [each.notification_id for each in DeliveryBatch.model_validate_json(carried.data).notifications].index(int(notification["id"]))
    return result[place]


async def test_a_delivery_that_has_to_wait_says_for_what(post: Post) -> None:
    """Which ticket, what failed, and when it is tried again; readable without a worker, in the summary of its timer."""
    acme = await post.desk.merchant()
    post.mailbox.tricks["RCPT"] = say(LATER)
    ticket = await acme.open(category="general")
    settled = await post.outcome(acme, ticket)
    assert settled["status"] == "dead"
    handle = post.desk.client.get_workflow_handle(await post.desk.delivery_of(acme, settled["id"]))
    described = await handle.describe()
    merchant, _, named = (await described.static_summary() or "").partition(" · ")
    assert merchant == f"acme-{acme.id}"
    assert f"#{ticket['number']} ticket_received" in named.split(", ")  # in one batch with its assignment's, in any order
    assert described.typed_search_attributes.get(MERCHANT_SLUG) == f"acme-{acme.id}"
    told = [event.user_metadata.summary.data.decode() async for event in handle.fetch_history_events() if event.user_metadata.summary.data]
    waits = [text for text in told if f"#{ticket['number']} ticket_received: try 1 failed (transient failure, code 451), next 20" in text]
    assert len(waits) == 1, told
