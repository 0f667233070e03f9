"""A worker that is killed while it sends: what became of the text is not known, and it is not sent a second time."""

import signal

import pytest
import sqlalchemy as sa
from sqlmodel import col

from activities.email.smtp import SmtpServer
from activities.notification import lost_after
from models.notifications.tables import DeliveryAttempt, Notification
from models.platform.settings import MailSecurity, Settings, WorkerQueue
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated, desk_without_a_worker, worker_process
from tests.support.mail_server import go_ahead_and_stall, serving

DEFAULT = Settings.model_fields["smtp_timeout_seconds"].default
SERVER = SmtpServer(host="127.0.0.1", port=25, security=MailSecurity.NONE, timeout=DEFAULT)


@pytest.mark.slow
async def test_what_a_killed_worker_was_sending_is_unknown_and_not_sent_again(isolated: Isolated) -> None:
    async with serving(tricks={"DATA": go_ahead_and_stall}) as mailbox, desk_without_a_worker(isolated) as desk:
        ours = isolated._replace(smtp_port=mailbox.port)
        acme = await desk.merchant()
        await acme.open(category="general")
        async with worker_process(ours, "deploy", [WorkerQueue.NOTIFICATIONS]) as doomed:
            await desk.until(lambda: _begun(desk, acme), bool, seconds=60)
            doomed.send_signal(signal.SIGKILL)
            assert await doomed.wait() == -signal.SIGKILL
        mailbox.tricks.clear()
        await _as_much_later_as_an_attempt_may_take(desk, acme)
        async with worker_process(ours, "deploy", [WorkerQueue.NOTIFICATIONS]):
            (told,) = await desk.until(lambda: rows(desk, acme, Notification), lambda all_: all_[0].status != "pending", seconds=60)
        assert told.status == "unknown"
        assert [attempt.outcome for attempt in await rows(desk, acme, DeliveryAttempt)] == ["unknown"]
        assert mailbox.commands.count("DATA") == 1


async def _begun(desk: Desk, acme: Merchant) -> bool:
    return [attempt.finished_at for attempt in await rows(desk, acme, DeliveryAttempt)] == [None]


async def _as_much_later_as_an_attempt_may_take(desk: Desk, acme: Merchant) -> None:
    """Instead of the wait: test_delivery_log.py adds it up to less than a minute."""
    async with desk.database.reading(acme.id) as session:
        began = col(DeliveryAttempt.started_at) - lost_after(SERVER)
        await session.execute(sa.update(DeliveryAttempt).values(started_at=began))
