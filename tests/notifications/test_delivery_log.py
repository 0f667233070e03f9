"""The delivery log keeps two from having the same notification, and counts the tries, whoever makes them."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import activities.notification
from activities.email.smtp import QUIT_SECONDS, PermanentFailure, SmtpServer
from activities.notification import DeliveryActivities, lost_after
from models.audit import SYSTEM, Change
from models.notifications.delivery_log import Ending, begin_attempt, end_attempt, read_delivery, replay, settle, status_after
from models.notifications.messages import INTRODUCTION_SECONDS, RECORD_SECONDS, TRY_SECONDS, DeliveryRef, NotificationStatus
from models.notifications.tables import AttemptOutcome, DeliveryAttempt, Notification
from models.platform.settings import MailSecurity, Settings
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.support.mail_server import Mailbox, serving

LOST_AFTER = timedelta(seconds=60)
LATER = Ending(AttemptOutcome.TRANSIENT, 451, "RCPT: 451 later")


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    return await quiet[1].merchant()


@pytest.fixture
async def notification(acme: Merchant) -> DeliveryRef:
    await acme.open(category="general")
    (row,) = await rows(acme.desk, acme, Notification)
    return DeliveryRef(merchant_id=acme.id, notification_id=row.id)


async def begun(acme: Merchant, notification: DeliveryRef, ending: Ending | None = None) -> tuple[int, int] | None:
    async with acme.desk.database.writing(acme.id) as session:
        return await begin_attempt(session, notification, "delivery-of-a-test", ending)


async def ended(acme: Merchant, attempt_id: int, ending: Ending) -> None:
    async with acme.desk.database.writing(acme.id) as session:
        await end_attempt(session, attempt_id, ending)


async def seen(acme: Merchant, notification: DeliveryRef) -> Any:
    async with acme.desk.database.reading(acme.id) as session:
        return await read_delivery(session, notification, LOST_AFTER)


async def test_of_many_who_have_the_same_notification_one_may_send_it(acme: Merchant, notification: DeliveryRef) -> None:
    tries = await asyncio.gather(*(begun(acme, notification) for _ in range(5)))
    assert len([each for each in tries if each]) == 1
    assert await begun(acme, notification) is None


async def test_the_next_try_waits_for_the_end_of_the_one_before(acme: Merchant, notification: DeliveryRef) -> None:
    first = await begun(acme, notification)
    assert first is not None
    assert (await seen(acme, notification)).is_under_way
    await ended(acme, first[0], LATER)
    assert not (await seen(acme, notification)).is_under_way
    second = await begun(acme, notification)
    assert second is not None
    assert (first[1], second[1]) == (1, 2)


async def test_a_try_that_sent_nothing_is_written_with_its_end(acme: Merchant, notification: DeliveryRef) -> None:
    assert [(await begun(acme, notification, LATER) or (0, 0))[1] for _ in range(3)] == [1, 2, 3]
    attempts = await rows(acme.desk, acme, DeliveryAttempt)
    assert all(attempt.finished_at and attempt.outcome is AttemptOutcome.TRANSIENT for attempt in attempts)


async def test_a_settled_notification_gets_no_other_try(acme: Merchant, notification: DeliveryRef) -> None:
    async with acme.desk.database.reading(acme.id) as session:
        await settle(session, notification, NotificationStatus.SENT)
        await settle(session, notification, NotificationStatus.DEAD)
    assert await begun(acme, notification) is None
    assert (await rows(acme.desk, acme, Notification))[0].status is NotificationStatus.SENT


async def test_an_old_round_gets_no_other_try(acme: Merchant, notification: DeliveryRef) -> None:
    async with acme.desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Notification).values(round=1))
    assert await begun(acme, notification) is None
    assert await begun(acme, notification.model_copy(update={"round": 1})) is not None


async def test_a_try_that_never_reported_back_may_have_been_sent(acme: Merchant, notification: DeliveryRef) -> None:
    await begun(acme, notification)
    assert not (await seen(acme, notification)).may_have_been_sent
    async with acme.desk.database.reading(acme.id) as session:
        await session.execute(sa.update(DeliveryAttempt).values(started_at=col(DeliveryAttempt.started_at) - LOST_AFTER))
    assert (await seen(acme, notification)).may_have_been_sent


@pytest.mark.parametrize(
    ("outcome", "attempt", "status"),
    [
        (AttemptOutcome.SENT, 1, NotificationStatus.SENT),
        (AttemptOutcome.UNKNOWN, 1, NotificationStatus.UNKNOWN),
        (AttemptOutcome.PERMANENT, 1, NotificationStatus.DEAD),
        (AttemptOutcome.TRANSIENT, 4, NotificationStatus.PENDING),
        (AttemptOutcome.TRANSIENT, 5, NotificationStatus.DEAD),
    ],
)
def test_how_a_notification_stands_after_a_try(outcome: AttemptOutcome, attempt: int, status: NotificationStatus) -> None:
    assert status_after(Ending(outcome, None, ""), attempt) is status


@pytest.fixture
async def post() -> AsyncIterator[Mailbox]:
    async with serving() as mailbox:
        yield mailbox


async def delivered(acme: Merchant, notification: DeliveryRef, post: Mailbox, sender: str = "a@desk.test") -> str:
    """What the activity answers, on a worker of its own."""
    server = SmtpServer(host="127.0.0.1", port=post.port, security=MailSecurity.NONE, timeout=5)
    links: Any = {"public_url": "http://desk.test", "signing_keys": ("k" * 32,), "hourly_limit": 60}
    worker = DeliveryActivities(acme.desk.database, server, sender=sender, **links)
    return str(await ActivityEnvironment().run(worker.deliver, notification))


async def test_a_notification_that_somebody_else_has_is_asked_for_later(acme: Merchant, notification: DeliveryRef, post: Mailbox) -> None:
    await begun(acme, notification)
    with pytest.raises(ApplicationError, match="another worker has this notification") as refused:
        await delivered(acme, notification, post)
    assert post.emails == []
    assert refused.value.next_retry_delay is not None
    assert timedelta(seconds=15) < refused.value.next_retry_delay <= timedelta(seconds=22.5)  # with 5 s for a wait


def server(timeout: float) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=25, security=MailSecurity.NONE, timeout=timeout)


def test_by_default_the_attempt_of_a_dead_worker_is_unknown_within_a_minute() -> None:
    default = Settings.model_fields["smtp_timeout_seconds"].default
    noticed = timedelta(seconds=15)  # Temporal gives the task of a dead worker to another one after 10 s
    assert lost_after(server(default)) <= timedelta(seconds=60) - noticed


@pytest.mark.parametrize("timeout", [1, 15, 300])
def test_no_attempt_that_is_still_made_is_taken_for_a_lost_one(timeout: float) -> None:
    longest = server(timeout).answer_seconds + QUIT_SECONDS + RECORD_SECONDS
    assert timedelta(seconds=longest) < lost_after(server(timeout))
    assert INTRODUCTION_SECONDS + longest < TRY_SECONDS


async def test_after_the_death_of_a_worker_its_notification_is_unknown(acme: Merchant, notification: DeliveryRef, post: Mailbox) -> None:
    await begun(acme, notification)
    async with acme.desk.database.reading(acme.id) as session:
        await session.execute(sa.update(DeliveryAttempt).values(started_at=col(DeliveryAttempt.started_at) - 2 * LOST_AFTER))
    assert await delivered(acme, notification, post) == "unknown"
    assert (await rows(acme.desk, acme, Notification))[0].status is NotificationStatus.UNKNOWN
    assert post.emails == []


async def test_two_workers_that_have_the_same_notification_send_it_once(acme: Merchant, notification: DeliveryRef, post: Mailbox) -> None:
    answers = await asyncio.gather(*(delivered(acme, notification, post) for _ in range(3)), return_exceptions=True)
    assert len(post.emails) == 1
    assert "sent" in answers
    assert await delivered(acme, notification, post) == "sent"


async def test_an_email_that_cannot_be_composed_is_dead_with_its_reason(
    acme: Merchant, notification: DeliveryRef, post: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_in_a_codec(*_: object, **__: object) -> bytes:
        return b"till \xff".decode("ascii").encode()

    with monkeypatch.context() as broken:
        broken.setattr(activities.notification, "compose", raise_in_a_codec)
        assert await delivered(acme, notification, post) == "dead"
    (attempt,) = await rows(acme.desk, acme, DeliveryAttempt)
    assert (attempt.outcome, attempt.finished_at is not None) == (AttemptOutcome.PERMANENT, True)
    assert re.fullmatch(r"the e-mail could not be composed: UnicodeDecodeError in test_delivery_log.py, line \d+", attempt.detail)
    assert await delivered(acme, await replayed(acme, notification), post) == "sent"


async def replayed(acme: Merchant, notification: DeliveryRef) -> DeliveryRef:
    async with acme.desk.database.writing(acme.id) as session:
        again = await replay(session, notification.notification_id, Change(by=SYSTEM, at=acme.desk.clock.now()))
    return notification.model_copy(update={"round": again.round})


@pytest.mark.parametrize("subject", ["=?unicode_escape?q?=5Cud800?=", "=?utf-8?q?hi=0d=0aBcc=3A_evil=40x.example?="])
async def test_a_subject_that_decodes_into_something_else_is_sent_as_typed(acme: Merchant, post: Mailbox, subject: str) -> None:
    await acme.open(category="general", subject=subject)
    (row,) = await rows(acme.desk, acme, Notification)
    assert await delivered(acme, DeliveryRef(merchant_id=acme.id, notification_id=row.id), post) == "sent"
    content = post.emails[0].content
    assert isinstance(content, bytes)
    email = message_from_bytes(content, policy=policy.compat32)
    assert "Bcc" not in email
    assert subject in str(make_header(decode_header(str(email["Subject"]))))


async def test_a_notification_that_is_gone_keeps_no_workflow_waiting(acme: Merchant, post: Mailbox) -> None:
    assert await delivered(acme, DeliveryRef(merchant_id=acme.id, notification_id=1), post) == "not_found"


async def test_a_sender_beyond_ascii_sends_under_the_ascii_form_of_its_domain(
    acme: Merchant, notification: DeliveryRef, post: Mailbox
) -> None:
    assert await delivered(acme, notification, post, sender="desk@bücher.test") == "sent"
    content = post.emails[0].content
    assert isinstance(content, bytes)
    assert f"Message-ID: <notification-{notification.notification_id}@xn--bcher-kva.test>\r\n".encode() in content


async def test_a_sender_that_cannot_be_used_is_refused_at_the_start(acme: Merchant, notification: DeliveryRef, post: Mailbox) -> None:
    with pytest.raises(PermanentFailure):
        await delivered(acme, notification, post, sender="Help<x@y>")
