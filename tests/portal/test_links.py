"""No e-mail links to anything that fails: of every kind, for both who may get it, the link is followed."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col
from temporalio.testing import ActivityEnvironment

from activities.notification import DeliveryActivities
from models.db.session import TenantSession
from models.notifications.kinds import NotificationKind
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification, RecipientKind
from models.surveys.tables import Survey
from tests.support.auditor import rows
from tests.support.desk import SIGNING_KEYS, UNLIMITED, Desk, Merchant
from tests.support.isolated import Isolated
from tests.support.mail_server import Mailbox, serving

KINDS = [(kind, recipient) for kind in NotificationKind for recipient in RecipientKind]


@pytest.fixture
async def post() -> AsyncIterator[Mailbox]:
    async with serving() as mailbox:
        yield mailbox


@pytest.fixture
async def merchant(quiet: tuple[Isolated, Desk]) -> Merchant:
    return await quiet[1].merchant()


@pytest.mark.parametrize(("kind", "recipient"), KINDS)
async def test_the_link_of_an_email_leads_somewhere(
    kind: NotificationKind, recipient: RecipientKind, merchant: Merchant, post: Mailbox
) -> None:
    ticket = await merchant.open(category="general")
    await deliver(merchant, post, await notification(merchant, kind, recipient))
    links = re.findall(r"http://desk\.test(/\S+)", text_of(post))
    assert links
    for link in links:
        page = await merchant.desk.client_with(None, base="").get(link, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8"), link
        assert link.startswith("/console/") == (recipient is RecipientKind.AGENT) or "/surveys/" in link
        assert (ticket["subject"] in page.text) == link.startswith("/portal/")


async def notification(merchant: Merchant, kind: NotificationKind, recipient: RecipientKind) -> DeliveryRef:
    """One of the kind, about Rita's ticket; a digest lists one that was held back."""
    (first,) = await rows(merchant.desk, merchant, Notification)
    async with merchant.desk.database.writing(merchant.id) as session:
        survey_id, id_ = await sent_survey(session, first), session.new_id()
        context = {"actorName": "Leo", "surveyId": survey_id, "level": 1, "metric": "resolution", "dueAt": "2026-11-24T10:15:00Z"}
        own = {"kind": kind, "recipient_kind": recipient, "context": context}
        session.append(Notification, **first.model_dump() | {"id": id_, "cause_id": id_} | own)
        if kind is NotificationKind.DIGEST:
            held = {"status": NotificationStatus.IN_DIGEST, "digest_id": id_, "recipient_kind": recipient}
            await session.execute(sa.update(Notification).where(col(Notification.id) == first.id).values(**held))
        await session.write()
    return DeliveryRef(merchant_id=merchant.id, notification_id=id_)


async def sent_survey(session: TenantSession, about: Notification) -> int:
    survey_id, at = session.new_id(), about.created_at
    key = {"merchant_id": about.merchant_id, "id": survey_id, "ticket_id": about.ticket_id}
    session.append(Survey, **key, cycle=1, sent_at=at, expires_at=at + timedelta(days=1))
    return survey_id


async def deliver(merchant: Merchant, post: Mailbox, ref: DeliveryRef) -> None:
    links: Any = {"sender": "a@desk.test", "public_url": "http://desk.test/", "signing_keys": SIGNING_KEYS, "hourly_limit": UNLIMITED}
    worker = DeliveryActivities(merchant.desk.database, post.address(), **links)
    assert await ActivityEnvironment().run(worker.deliver, ref) == "sent"


def text_of(post: Mailbox) -> str:
    content: Any = post.emails[-1].content
    email = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(email, EmailMessage)
    body = email.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
