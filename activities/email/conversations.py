"""The conversations with one mail server: one that has sent an e-mail stays open for the next for some seconds.

So a bunch of e-mails pays once for the connection, TLS and the login. How an e-mail ends does not depend on that: a conversation that goes
on and fails before DATA says nothing about the e-mail (the server may have closed it, or take only so many e-mails in one). A new one is
begun in its place, and its judgement counts. Once DATA has begun there is no second one.

The two halves have their own limits: up to the recipient, and from the begin of the attempt to the server's answer. Of an attempt that is
open for longer than the second, its worker is known to be dead.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

from activities.email.smtp import Conversation, DeliveryFailed, Envelope, Receipt, SmtpServer, TransientFailure, on_the_wire
from models.notifications.messages import INTRODUCTION_SECONDS

IDLE_SECONDS: Final = 5.0
"""Much less than mail servers wait (five minutes: RFC 5321, section 4.5.3.2.7), as a connection may cost them a process."""
KEPT_AT_MOST: Final = 6
EMAILS_AT_MOST: Final = 50
"""In one conversation: several servers behind one name get their share."""
_T = TypeVar("_T")


class Conversations:
    """At most as many as ``send`` is called at the same time, and never more than ``KEPT_AT_MOST`` that wait for the next e-mail."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._kept: dict[Conversation, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def send(self, email: bytes, sender: str, recipient: str, *, before_data: Callable[[], Awaitable[None]]) -> Receipt:
        """Send one e-mail, as it is on the wire, to one recipient.

        ``before_data`` is awaited once the recipient is accepted and before DATA: it commits the attempt, so that a crash after it is
        known to be ambiguous. What it raises ends the conversation and is passed on. Raises one of the ``DeliveryFailed``.
        """
        envelope = Envelope(on_the_wire(sender), on_the_wire(recipient), len(email))
        conversation = await _in_time(self._introduced(envelope), INTRODUCTION_SECONDS, "introduction: timed out")
        async with _left_on_failure(conversation):
            until = asyncio.get_running_loop().time() + self._server.answer_seconds
            await _in_time(before_data(), self._server.timeout, "recording the attempt: timed out")
            receipt = await conversation.send(email, until)
        await self._keep(conversation)
        return receipt

    async def aclose(self) -> None:
        """Leave the conversations that wait for the next e-mail."""
        for conversation in list(self._kept):
            self._kept[conversation].cancel()
            self._expire(conversation)
        await asyncio.gather(*self._leaving)

    async def _introduced(self, envelope: Envelope) -> Conversation:
        if self._kept:
            kept, idle = self._kept.popitem()
            idle.cancel()
            with suppress(DeliveryFailed):
                async with _left_on_failure(kept):
                    await kept.go_on(envelope)
                return kept
        new = Conversation(self._server)
        async with _left_on_failure(new):
            await new.begin(envelope)
        return new

    async def _keep(self, conversation: Conversation) -> None:
        if len(self._kept) >= KEPT_AT_MOST or conversation.sent >= EMAILS_AT_MOST:
            await conversation.leave()
        else:
            self._kept[conversation] = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire, conversation)

    def _expire(self, conversation: Conversation) -> None:
        del self._kept[conversation]
        leaving = asyncio.create_task(conversation.leave())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


@asynccontextmanager
async def _left_on_failure(conversation: Conversation) -> AsyncIterator[None]:
    try:
        yield
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError):
            conversation.abort()
        await conversation.leave()
        raise


async def _in_time(work: Awaitable[_T], seconds: float, otherwise: str) -> _T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise TransientFailure(otherwise) from None
