"""Conversations with a mail server, as the tests have them."""

import asyncio
from collections.abc import Awaitable, Callable
from email import policy
from email.message import EmailMessage

import pytest

from activities.email.conversations import Conversations
from activities.email.smtp import DeliveryFailed, Receipt, SmtpServer
from tests.support.mail_server import Mailbox

SENDER, ANA = "desk@helpdesk.test", "ana@acme.test"
SHORT = 0.3


def email(text: str = "Hello\n.dot\nbye", to: str = ANA) -> bytes:
    composed = EmailMessage()
    composed["From"], composed["To"], composed["Subject"] = SENDER, to, "[#7] Printer"
    composed.set_content(text)
    return composed.as_bytes(policy=policy.SMTP)


class Attempts:
    """Stands for the commit of an attempt: notes the last command before it."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.seen: list[str] = []

    async def __call__(self) -> None:
        self.seen.append(self._mailbox.commands[-1])


async def converse(server: SmtpServer, email: bytes, sender: str, recipient: str, *, before_data: Callable[[], Awaitable[None]]) -> Receipt:
    """One e-mail in a conversation of its own."""
    conversations = Conversations(server)
    try:
        return await conversations.send(email, sender, recipient, before_data=before_data)
    finally:
        await conversations.aclose()


async def fail(server: SmtpServer, attempts: Attempts, text: str = "Hello", to: str = ANA) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        async with asyncio.timeout(20):
            await converse(server, email(text, to="ana@acme.test"), SENDER, to, before_data=attempts)
    assert "@" not in failed.value.text
    return failed.value
