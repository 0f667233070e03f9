"""One notification: one e-mail in a conversation with the mail server, and the log of it."""

import asyncio
import traceback
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.email.compose import compose
from activities.email.conversations import Conversations
from activities.email.render import render
from activities.email.smtp import AmbiguousFailure, DeliveryFailed, PermanentFailure, SmtpServer, on_the_wire
from models.db.session import Database, TenantSession
from models.errors import NotFound
from models.notifications.delivery_log import Delivery, Ending, begin_attempt, end_attempt, read_delivery, settle, status_after
from models.notifications.digest import Held, close_digest
from models.notifications.kinds import NotificationKind
from models.notifications.limit import admit, hold_back
from models.notifications.messages import DELIVER, NOT_YET, RECORD_SECONDS, DeliveryRef, NotificationStatus
from models.notifications.tables import AttemptOutcome, Notification, RecipientKind
from models.platform.addresses import BASE
from models.platform.metrics import ATTEMPT_SECONDS, ATTEMPTS, NOTIFICATIONS
from models.platform.signed_links import sign
from models.portal.link import GOOD_FOR, PortalLink, token_of

MARGIN_SECONDS = 4.0
"""For QUIT, and a process that lags: an attempt that is still made is never taken for a lost one."""
log = structlog.get_logger()


class DeliveryActivities:
    """``public_url`` is where links lead; ``signing_keys`` sign those to the portal and to surveys, the newest first; ``hourly_limit`` is
    notifications an hour to one address.

    Raises ``PermanentFailure`` for a sender that no e-mail could have.
    """

    def __init__(  # noqa: PLR0913 - all named
        self, database: Database, server: SmtpServer, *, sender: str, public_url: str, signing_keys: tuple[str, ...], hourly_limit: int
    ) -> None:
        self._database = database
        self._conversations = Conversations(server)
        self._lost_after = lost_after(server)
        self._sender = on_the_wire(sender)
        self._public_url = public_url.rstrip("/")
        self._signing_keys = signing_keys
        self._hourly_limit = hourly_limit

    async def aclose(self) -> None:
        """Leave the mail server."""
        await self._conversations.aclose()

    @activity.defn(name=DELIVER)
    async def deliver(self, ref: DeliveryRef) -> str:
        """Return how the notification ended; raise to be tried again. After an ambiguous end it is not sent again by itself."""
        try:
            return await self._deliver(ref)
        except NotFound:  # as after a restored backup: there is nothing to wait for
            return "not_found"

    async def _deliver(self, ref: DeliveryRef) -> str:
        async with self._database.writing(ref.merchant_id) as session:
            delivery = await read_delivery(session, ref, self._lost_after)
            notification = delivery.notification
            if notification.round != ref.round or notification.status is not NotificationStatus.PENDING:
                return notification.status
            if notification.kind is NotificationKind.DIGEST:
                delivery = delivery._replace(listed=await close_digest(session, notification))
            if (settled := await self._settled(session, ref, delivery)) is not None:
                session.once_committed(NOTIFICATIONS.labels(notification.kind, notification.channel, settled).inc)
                return settled
        if delivery.is_under_way:
            _refuse_second(delivery.lost_in)
        ending, status = await self._try(ref, delivery)
        if status is NotificationStatus.PENDING:
            answer = f"code {ending.code}" if ending.code else "no response of the mail server"
            _refuse(f"{ending.outcome} failure, {answer}")  # its own words may name somebody
        return status

    async def _settled(self, session: TenantSession, ref: DeliveryRef, delivery: Delivery) -> NotificationStatus | None:
        """How it ends without a conversation, if it does."""
        notification = delivery.notification
        is_digest = notification.kind is NotificationKind.DIGEST
        if delivery.is_under_way:
            return None
        if delivery.may_have_been_sent:
            await settle(session, ref, NotificationStatus.UNKNOWN)
            return NotificationStatus.UNKNOWN
        if is_digest and not delivery.listed:  # all of it has become pointless
            await settle(session, ref, NotificationStatus.CANCELLED)
            return NotificationStatus.CANCELLED
        if not is_digest and not await admit(session, notification, self._hourly_limit):
            return await hold_back(session, notification.id, delivery.now)
        return None

    async def _try(self, ref: DeliveryRef, delivery: Delivery) -> tuple[Ending, NotificationStatus]:
        begun: list[tuple[int, int]] = []

        async def commit_attempt() -> None:
            begun.append(await self._begin(ref))

        try:
            address = delivery.notification.address
            text = self._compose(delivery)
            with ATTEMPT_SECONDS.labels(delivery.notification.channel).time():
                receipt = await self._conversations.send(text, self._sender, address, before_data=commit_attempt)
            ending = Ending(AttemptOutcome.SENT, receipt.code, receipt.text)
        except DeliveryFailed as failed:
            ending = Ending(_outcome(failed), failed.code, failed.text)
        attempt, status = await self._end(ref, begun, ending)
        _count(delivery.notification, ending, status)
        _log(ref, delivery, attempt, ending, status)
        return ending, status

    async def _begin(self, ref: DeliveryRef) -> tuple[int, int]:
        async with self._database.writing(ref.merchant_id) as session:
            return await begin_attempt(session, ref, _workflow_id()) or _refuse_second(self._lost_after)

    async def _end(self, ref: DeliveryRef, begun: list[tuple[int, int]], ending: Ending) -> tuple[int, NotificationStatus]:
        """The attempt and, at the end of its tries, the notification: in one transaction."""
        async with asyncio.timeout(RECORD_SECONDS), self._database.writing(ref.merchant_id) as session:
            if begun:
                attempt_id, attempt = begun[0]
                await end_attempt(session, attempt_id, ending)
            else:  # no text was sent
                begun_now = await begin_attempt(session, ref, _workflow_id(), ending)
                _, attempt = begun_now or _refuse_second(self._lost_after)
            status = status_after(ending, attempt)
            if status is not NotificationStatus.PENDING:
                await settle(session, ref, status)
        return attempt, status

    def _compose(self, delivery: Delivery) -> bytes:
        """Whatever goes wrong here would go wrong again: the notification is dead, and can be replayed when the cause is mended."""
        try:
            return self._composed(delivery)
        except DeliveryFailed:
            raise
        except Exception as error:
            raise PermanentFailure(f"the e-mail could not be composed: {_place(error)}") from error

    def _composed(self, delivery: Delivery) -> bytes:
        notification = delivery.notification
        return compose(
            render(notification.kind, self._context(delivery)),
            sender=self._sender,
            recipient_name=notification.recipient_name,
            recipient_address=notification.address,
            message_id=f"<notification-{notification.id}@{self._domain}>",
            thread_id=f"<ticket-{notification.ticket_id}@{self._domain}>",
        )

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _context(self, delivery: Delivery) -> dict[str, object]:
        """What the templates may say."""
        notification, ticket, context = delivery.notification, delivery.ticket, delivery.notification.context
        return {
            "ticket": ticket.model_dump(include={"number", "subject", "status", "priority", "category"}),
            "recipient": {"name": notification.recipient_name},
            "actor_name": context.get("actorName"),
            "link": self._link(delivery, notification.recipient_kind, ticket.id, ticket.link_generation),
            "listed": self._listed(delivery),
            "message": delivery.comment,
            "level": context.get("level"),
            "metric": context.get("metric"),
            "due_at": context.get("dueAt"),
            "from_agent_name": delivery.from_agent,
            "to_agent_name": delivery.to_agent,
            "reason": context.get("reason"),
            "survey_url": self._survey_link(notification.merchant_id, context.get("surveyId")),
            "merchant_name": delivery.merchant_name,
        }

    def _link(self, delivery: Delivery, recipient: RecipientKind, ticket_id: int, generation: int) -> str:
        """The page of a ticket: a reporter's needs no token besides the one in the link."""
        if recipient is RecipientKind.AGENT:
            return f"{self._public_url}/console/tickets/{ticket_id}"
        link = PortalLink(delivery.notification.merchant_id, ticket_id, generation, delivery.now + GOOD_FOR)
        return f"{self._public_url}/portal/tickets/{token_of(self._signing_keys, link)}"

    def _survey_link(self, merchant_id: int, survey_id: int | None) -> str:
        return f"{self._public_url}{BASE}/surveys/{sign(self._signing_keys, 'survey', [merchant_id, survey_id])}"

    def _listed(self, delivery: Delivery) -> list[dict[str, str]]:
        """What a digest lists, each with the link that its own e-mail would have had."""
        listed = [{"text": _entry(each), "url": self._link_of(delivery, each)} for each in delivery.listed]
        rest = delivery.listed[0].total - len(listed) if delivery.listed else 0
        return [*listed, {"text": f"and {rest} more", "url": ""}] if rest else listed

    def _link_of(self, delivery: Delivery, held: Held) -> str:
        if held.kind is NotificationKind.SURVEY:
            return self._survey_link(delivery.notification.merchant_id, held.survey_id)
        return self._link(delivery, held.recipient_kind, held.ticket_id, held.link_generation)


def lost_after(server: SmtpServer) -> timedelta:
    """When it is certain that nobody makes an open attempt any more."""
    return timedelta(seconds=server.answer_seconds + RECORD_SECONDS + MARGIN_SECONDS)


def _entry(held: Held) -> str:
    return f"#{held.number} {held.subject} ({held.kind.replace('_', ' ')})"


def _outcome(failure: DeliveryFailed) -> AttemptOutcome:
    if isinstance(failure, AmbiguousFailure):
        return AttemptOutcome.UNKNOWN
    return AttemptOutcome.PERMANENT if isinstance(failure, PermanentFailure) else AttemptOutcome.TRANSIENT


def _place(error: Exception) -> str:
    """Name the error and where it was raised, without its words: they may be a person's."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _count(notification: Notification, ending: Ending, status: NotificationStatus) -> None:
    ATTEMPTS.labels(notification.channel, ending.outcome).inc()
    if status is not NotificationStatus.PENDING:
        NOTIFICATIONS.labels(notification.kind, notification.channel, status).inc()


def _log(ref: DeliveryRef, delivery: Delivery, attempt: int, ending: Ending, status: NotificationStatus) -> None:
    """A new dead letter is an error: a person has to look at it, and to replay it."""
    notification, is_dead = delivery.notification, status is NotificationStatus.DEAD
    (log.error if is_dead else log.info)(
        "notification.dead" if is_dead else "notification.deliver",
        merchant_id=notification.merchant_id,
        ticket_id=notification.ticket_id,
        notification_id=notification.id,
        request_id=ref.request_id,
        workflow_id=_workflow_id(),
        kind=notification.kind,
        recipient_kind=notification.recipient_kind,
        recipient_id=notification.recipient_id,
        attempt=attempt,
        outcome=ending.outcome,
        code=ending.code,
        status=status,
    )


def _refuse_second(look_again_in: timedelta) -> NoReturn:
    _refuse("another worker has this notification", look_again_in)


def _refuse(why: str, look_again_in: timedelta | None = None) -> NoReturn:
    """Not now: the workflow tries again, after its own pause unless it is told another."""
    raise ApplicationError(why, type=NOT_YET, next_retry_delay=look_again_in)


def _workflow_id() -> str:
    return activity.info().workflow_id or activity.info().activity_id
