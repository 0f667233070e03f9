"""One address gets so many notifications an hour, and one digest of the rest."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col
from temporalio.testing import ActivityEnvironment

from activities.notification import DeliveryActivities
from models.notifications.digest import DIGEST_AFTER, DIGEST_EVERY, MAX_LISTED
from models.notifications.kinds import NotificationKind
from models.notifications.limit import admit, hold_back
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification
from models.outbox.tables import Outbox
from models.portal.link import link_of
from models.surveys.tables import Survey
from models.tickets.tables import Ticket
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.support.mail_server import Mailbox, say, serving

LIMIT = 2
HOUR = timedelta(hours=1)


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    return await quiet[1].merchant()


@pytest.fixture
async def post() -> AsyncIterator[Mailbox]:
    async with serving() as mailbox:
        yield mailbox


async def opened(acme: Merchant, count: int) -> list[DeliveryRef]:
    """So many tickets of Rita's, of each of which she is told."""
    known = {each.id for each in await rows(acme.desk, acme, Notification)}
    for number in range(count):
        await acme.open(category="general", subject=f"Till {number}")
    return [refer(each) for each in await rows(acme.desk, acme, Notification) if each.id not in known]


def refer(notification: Notification) -> DeliveryRef:
    return DeliveryRef(merchant_id=notification.merchant_id, notification_id=notification.id, round=notification.round)


async def delivered(acme: Merchant, post: Mailbox, *refs: DeliveryRef) -> list[str]:
    """What the activity answers about each, all at once."""
    links: Any = {"sender": "a@desk.test", "public_url": "http://desk.test", "signing_keys": ("k" * 32,)}
    worker = DeliveryActivities(acme.desk.database, post.address(), **links, hourly_limit=LIMIT)
    return [str(each) for each in await asyncio.gather(*(ActivityEnvironment().run(worker.deliver, ref) for ref in refs))]


async def digests(acme: Merchant) -> list[Notification]:
    return list(await rows(acme.desk, acme, Notification, col(Notification.kind) == NotificationKind.DIGEST))


async def an_hour_passes(acme: Merchant) -> None:
    """All that was admitted or posted was so an hour earlier."""
    earlier = {"admitted_at": col(Notification.admitted_at) - HOUR, "posted_at": col(Notification.posted_at) - HOUR}
    async with acme.desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Notification).values(**earlier))


def texts(post: Mailbox) -> list[str]:
    return [_text(each.content) for each in post.emails]


def _text(content: Any) -> str:
    email = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(email, EmailMessage)
    body = email.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_of_many_at_once_no_more_than_the_limit_are_sent(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, 5)
    assert sorted(await delivered(acme, post, *refs)) == ["in_digest"] * 3 + ["sent"] * 2
    assert len(post.emails) == LIMIT


async def test_one_digest_lists_what_was_held_back(acme: Merchant, post: Mailbox) -> None:
    for ref in (refs := await opened(acme, 4)):
        await delivered(acme, post, ref)
    (digest,) = await digests(acme)
    held = [each for each in await rows(acme.desk, acme, Notification) if each.digest_id == digest.id]
    assert [each.id for each in held] == [ref.notification_id for ref in refs[LIMIT:]]
    assert all(each.settled_at for each in held)
    assert await delivered(acme, post, refer(digest)) == ["sent"]
    text = texts(post)[-1]
    assert ["Till 0" in text, "Till 1" in text, "Till 2 (ticket received)" in text, "Till 3 (ticket received)" in text] == [False] * 2 + [
        True
    ] * 2


async def test_a_digest_leaves_when_it_is_due_and_not_before(acme: Merchant, post: Mailbox) -> None:
    await delivered(acme, post, *await opened(acme, 3))
    (digest,) = await digests(acme)
    assert digest.posted_at == digest.created_at + DIGEST_AFTER
    (waiting,) = await rows(acme.desk, acme, Outbox, col(Outbox.key) == f"notification-{digest.id}")
    assert waiting.leased_until == digest.posted_at


async def test_there_is_one_digest_an_hour(acme: Merchant, post: Mailbox) -> None:
    await delivered(acme, post, *await opened(acme, 3))
    (first,) = await digests(acme)
    async with acme.desk.database.reading(acme.id) as session:
        due = col(Notification.kind) == NotificationKind.DIGEST
        await session.execute(sa.update(Notification).where(due).values(posted_at=first.created_at))
    await delivered(acme, post, refer(first))
    assert await delivered(acme, post, *await opened(acme, 2)) == ["in_digest"] * 2
    _, second = await digests(acme)
    assert second.posted_at == first.created_at + DIGEST_EVERY


async def test_after_an_hour_the_address_is_told_again(acme: Merchant, post: Mailbox) -> None:
    await delivered(acme, post, *await opened(acme, 3))
    await an_hour_passes(acme)
    assert await delivered(acme, post, *await opened(acme, 1)) == ["sent"]


async def test_every_address_has_its_own_limit(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, 3)
    async with acme.desk.database.reading(acme.id) as session:
        last = col(Notification.id) == refs[-1].notification_id
        await session.execute(sa.update(Notification).where(last).values(address="leo@acme.test"))
    assert await delivered(acme, post, *refs) == ["sent"] * 3


async def test_an_address_in_capitals_is_the_same_address(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, 3)
    async with acme.desk.database.reading(acme.id) as session:
        last = col(Notification.id) == refs[-1].notification_id
        await session.execute(sa.update(Notification).where(last).values(address=sa.func.upper(Notification.address)))
    for ref in refs[:-1]:
        await delivered(acme, post, ref)
    assert await delivered(acme, post, refs[-1]) == ["in_digest"]


async def test_what_was_settled_meanwhile_is_not_held_back(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, LIMIT)
    same = [refs[-1]] * 3
    await asyncio.gather(delivered(acme, post, refs[0]), *(delivered(acme, post, ref) for ref in same), return_exceptions=True)
    assert {each.status for each in await rows(acme.desk, acme, Notification)} == {"sent"}


async def test_a_further_attempt_counts_once(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, 2)
    post.tricks["RCPT"] = say("451 later")
    for _ in range(3):
        with pytest.raises(Exception, match="code 451"):
            await delivered(acme, post, refs[0])
    post.tricks.clear()
    assert await delivered(acme, post, *refs) == ["sent", "sent"]


async def test_a_digest_about_deleted_tickets_alone_is_cancelled(acme: Merchant, post: Mailbox) -> None:
    await delivered(acme, post, *await opened(acme, 3))
    async with acme.desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Ticket).values(deleted_at=sa.func.now()))
    (digest,) = await digests(acme)
    assert await delivered(acme, post, refer(digest)) == ["cancelled"]
    assert len(post.emails) == LIMIT


async def test_what_joins_a_digest_in_the_instant_in_which_it_is_read_is_listed(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, 4)
    await delivered(acme, post, *refs[:-1])
    (digest,) = await digests(acme)
    (late,) = await rows(acme.desk, acme, Notification, col(Notification.id) == refs[-1].notification_id)
    async with acme.desk.database.writing(acme.id) as session:
        assert not await admit(session, late, LIMIT)
        assert await hold_back(session, late.id, datetime.now(UTC)) is NotificationStatus.IN_DIGEST
        sending = asyncio.create_task(delivered(acme, post, refer(digest)))
        await acme.desk.until(lambda: waits_for_an_address(acme), lambda waits: waits or sending.done())
    assert await sending == ["sent"]
    subjects = {each["subject"] for each in await held_tickets(acme, digest.id)}
    assert len(subjects) == 2
    assert all(subject in texts(post)[-1] for subject in subjects)


async def waits_for_an_address(acme: Merchant) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with acme.desk.database.reading(acme.id) as session:
        return bool((await session.execute(sa.text(waiting))).scalar_one())


async def held_tickets(acme: Merchant, digest_id: int) -> list[Any]:
    held = [each.ticket_id for each in await rows(acme.desk, acme, Notification, col(Notification.digest_id) == digest_id)]
    return [await acme.get(str(ticket_id)) for ticket_id in held]


async def test_nothing_joins_a_digest_that_was_read_also_if_it_was_not_sent(acme: Merchant, post: Mailbox) -> None:
    refs = await opened(acme, 4)
    await delivered(acme, post, *refs[:3])
    (first,) = await digests(acme)
    post.tricks["RCPT"] = say("451 later")
    with pytest.raises(Exception, match="code 451"):
        await delivered(acme, post, refer(first))
    post.tricks.clear()
    assert await delivered(acme, post, refs[3]) == ["in_digest"]
    _, second = await digests(acme)
    assert await delivered(acme, post, refer(first), refer(second)) == ["sent", "sent"]


async def test_each_thing_that_a_digest_lists_has_its_link_and_no_survey_that_is_over(acme: Merchant, post: Mailbox) -> None:
    await delivered(acme, post, *await opened(acme, LIMIT + 1))
    held = await rows(acme.desk, acme, Notification, col(Notification.digest_id).is_not(None))
    async with acme.desk.database.writing(acme.id) as session:
        more = held[0].model_dump() | {"admitted_at": None}
        asked, withdrawn = [survey_of(held[0], session.new_id(), at) for at in (None, held[0].created_at)]
        for survey in (asked, withdrawn):
            session.append(Survey, **survey)
        session.append(
            Notification, **more | {"id": session.new_id(), "kind": "survey", "cause_id": 9, "context": {"surveyId": withdrawn["id"]}}
        )
        kinds = {NotificationKind.SURVEY: {"surveyId": asked["id"]}, NotificationKind.SLA_BREACHED: {}}
        for kind, context in kinds.items():
            of_agent = {"recipient_kind": "agent"} if kind is NotificationKind.SLA_BREACHED else {}
            session.append(Notification, **more | {"id": session.new_id(), "kind": kind, "context": context} | of_agent)
        await session.write()
    (digest,) = await digests(acme)
    assert await delivered(acme, post, refer(digest)) == ["sent"]
    to_portal, to_survey, to_console = re.findall(r"\*.*\n  http://desk.test(/\S+)", texts(post)[-1])
    link = link_of(("k" * 32,), to_portal.removeprefix("/portal/tickets/"))
    assert link is not None
    assert link[:3] == (acme.id, held[0].ticket_id, 0)
    assert to_survey.startswith("/v1/api/helpdesk/surveys/")
    assert to_console == f"/console/tickets/{held[0].ticket_id}"


@pytest.mark.parametrize("other", ["ticket_id", "recipient_id"])
async def test_a_flood_of_one_ticket_or_of_one_person_hides_nothing_else(other: str, acme: Merchant, post: Mailbox) -> None:
    await delivered(acme, post, *await opened(acme, LIMIT + 1))
    (held,) = await rows(acme.desk, acme, Notification, col(Notification.digest_id).is_not(None))
    last = {"ticket_id": int((await acme.open(category="general"))["id"]), "recipient_id": 1}[other]
    async with acme.desk.database.writing(acme.id) as session:
        one = held.model_dump()
        for cause_id in range(3 * MAX_LISTED):
            session.append(Notification, **one | {"id": session.new_id(), "cause_id": cause_id})
        session.append(Notification, **one | {"id": session.new_id(), "cause_id": 1, "kind": NotificationKind.ESCALATED, other: last})
        await session.write()
    (digest,) = await digests(acme)
    assert await delivered(acme, post, refer(digest)) == ["sent"]
    assert "(escalated)" in texts(post)[-1]
    assert f"and {2 + 2 * MAX_LISTED} more" in texts(post)[-1]


def survey_of(held: Notification, survey_id: int, cancelled_at: datetime | None) -> dict[str, Any]:
    key = {"merchant_id": held.merchant_id, "id": survey_id, "ticket_id": held.ticket_id, "cycle": 2 if cancelled_at else 1}
    return key | {"sent_at": held.created_at, "expires_at": held.created_at + HOUR, "cancelled_at": cancelled_at}
