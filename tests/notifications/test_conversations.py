"""A conversation that stays open for the next e-mail changes what e-mails cost, never how they end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from activities.email.conversations import EMAILS_AT_MOST, Conversations
from activities.email.smtp import AmbiguousFailure, DeliveryFailed, PermanentFailure, Receipt, TransientFailure
from tests.notifications.conversations import ANA, SENDER, SHORT, Attempts, email
from tests.support.mail_server import Mailbox, Trick, drop, go_ahead_and_drop, say, serving, stall

FIRST, NEXT = ["EHLO", "MAIL", "RCPT", "DATA"], ["RSET", "MAIL", "RCPT", "DATA"]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with serving() as mailbox:
        yield mailbox


@pytest.fixture
async def conversations(mailbox: Mailbox) -> AsyncIterator[Conversations]:
    conversations = Conversations(mailbox.address())
    yield conversations
    await conversations.aclose()


async def send(conversations: Conversations, mailbox: Mailbox, to: str = ANA) -> Receipt:
    async with asyncio.timeout(20):
        return await conversations.send(email(), SENDER, to, before_data=Attempts(mailbox))


def once(mailbox: Mailbox, step: str, trick: Trick) -> None:
    """Misbehave at the next ``step`` only."""

    async def played(protocol: object) -> None:
        del mailbox.tricks[step]
        await trick(protocol)  # type: ignore[arg-type]

    mailbox.tricks[step] = played


async def test_the_next_email_goes_on_in_the_same_conversation(mailbox: Mailbox, conversations: Conversations) -> None:
    for to in (ANA, "leo@acme.test"):
        await send(conversations, mailbox, to)
    assert [envelope.rcpt_tos for envelope in mailbox.emails] == [[ANA], ["leo@acme.test"]]
    assert (len(mailbox.protocols), mailbox.commands) == (1, FIRST + NEXT)


async def test_emails_at_the_same_time_have_conversations_of_their_own(mailbox: Mailbox, conversations: Conversations) -> None:
    for _ in range(2):
        await asyncio.gather(*(send(conversations, mailbox) for _ in range(3)))
    assert (len(mailbox.protocols), len(mailbox.emails)) == (3, 6)


@pytest.mark.parametrize("trick", [stall, drop, say("421 4.7.0 too many"), say("550 5.7.0 enough")], ids=["stall", "drop", "4xx", "5xx"])
@pytest.mark.parametrize("step", ["RSET", "MAIL", "RCPT"])
async def test_one_that_breaks_before_data_is_begun_anew(mailbox: Mailbox, step: str, trick: Trick) -> None:
    conversations = Conversations(mailbox.address(timeout=SHORT))
    await send(conversations, mailbox)
    once(mailbox, step, trick)
    assert (await send(conversations, mailbox)).code == 250
    assert (len(mailbox.protocols), len(mailbox.emails)) == (2, 2)
    await conversations.aclose()


async def test_one_that_the_server_closed_is_begun_anew(mailbox: Mailbox, conversations: Conversations) -> None:
    await send(conversations, mailbox)
    await drop(mailbox.protocols[0])
    assert (await send(conversations, mailbox)).code == 250
    assert len(mailbox.emails) == 2


@pytest.mark.parametrize(
    ("step", "trick", "kind"),
    [
        ("RCPT", say("550 5.1.1 nobody"), PermanentFailure),
        ("RCPT", say("451 4.7.1 later"), TransientFailure),
        ("DATA", drop, AmbiguousFailure),
        ("DATA", go_ahead_and_drop, AmbiguousFailure),
        ("DOT", drop, AmbiguousFailure),
        ("DOT", say("451 4.3.0 later"), TransientFailure),
        ("DOT", say("554 5.6.0 no"), PermanentFailure),
    ],
    ids=["5xx to RCPT", "4xx to RCPT", "lost at DATA", "lost in the text", "lost after the dot", "4xx to the text", "5xx to the text"],
)
async def test_an_email_ends_as_in_a_conversation_of_its_own(
    mailbox: Mailbox, conversations: Conversations, step: str, trick: Trick, kind: type[DeliveryFailed]
) -> None:
    await send(conversations, mailbox)
    mailbox.tricks[step] = trick
    attempts = Attempts(mailbox)
    with pytest.raises(DeliveryFailed) as failed:
        await conversations.send(email(), SENDER, ANA, before_data=attempts)
    assert type(failed.value) is kind
    assert len(attempts.seen) == (0 if step == "RCPT" else 1)  # never a second attempt once DATA has begun
    del mailbox.tricks[step]
    assert (await send(conversations, mailbox)).code == 250


async def test_one_that_failed_is_not_gone_on_with(mailbox: Mailbox, conversations: Conversations) -> None:
    once(mailbox, "DOT", say("451 4.3.0 later"))
    with pytest.raises(TransientFailure):
        await send(conversations, mailbox)
    await send(conversations, mailbox)
    assert mailbox.commands == [*FIRST, "QUIT", *FIRST]


async def test_one_that_is_not_used_is_left(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.email.conversations.IDLE_SECONDS", 0.01)
    await send(Conversations(mailbox.address()), mailbox)
    async with asyncio.timeout(10):
        while "QUIT" not in mailbox.commands:  # noqa: ASYNC110 - the server's side has no event for it
            await asyncio.sleep(0.001)


async def test_so_many_emails_are_sent_in_one(mailbox: Mailbox, conversations: Conversations) -> None:
    for _ in range(EMAILS_AT_MOST + 1):
        await send(conversations, mailbox)
    assert (len(mailbox.protocols), mailbox.commands.count("QUIT")) == (2, 1)


async def test_no_more_are_kept_than_so_many(mailbox: Mailbox, conversations: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.email.conversations.KEPT_AT_MOST", 1)
    await asyncio.gather(*(send(conversations, mailbox) for _ in range(3)))
    assert mailbox.commands.count("QUIT") == 2


async def test_a_refused_address_beyond_ascii_leaves_nothing_behind(mailbox: Mailbox, conversations: Conversations) -> None:
    await send(conversations, mailbox)
    with pytest.raises(PermanentFailure):
        await send(conversations, mailbox, "jörg@acme.test")
    assert (await send(conversations, mailbox)).code == 250


async def test_a_cancelled_email_ends_its_conversation(mailbox: Mailbox, conversations: Conversations) -> None:
    await send(conversations, mailbox)
    mailbox.tricks["DOT"] = stall
    sending = asyncio.create_task(send(conversations, mailbox))
    async with asyncio.timeout(10):
        while len(mailbox.emails) < 2:  # noqa: ASYNC110 - the server's side has no event for it
            await asyncio.sleep(0.001)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    del mailbox.tricks["DOT"]
    assert (await send(conversations, mailbox)).code == 250
    assert len(mailbox.protocols) == 2


async def test_all_are_left_at_the_end(mailbox: Mailbox, conversations: Conversations) -> None:
    await asyncio.gather(*(send(conversations, mailbox) for _ in range(2)))
    await conversations.aclose()
    assert mailbox.commands.count("QUIT") == 2
