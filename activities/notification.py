"""One letter, one conversation with the mail server, and the log of both."""

from email.message import EmailMessage

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.email.errors import AmbiguousFailure, DeliveryFailed, PermanentFailure
from activities.email.render import compose, render
from activities.email.smtp import SmtpServer, converse
from models.db.session import Database
from models.notifications.delivery_log import Ending, Letter, begin_attempt, end_attempt, read_letter, settle, status_after
from models.notifications.messages import DELIVER, DeliveryRef, NotificationStatus
from models.notifications.tables import AttemptOutcome
from models.platform.signed_links import sign

log = structlog.get_logger()


class DeliveryActivities:
    """``public_url`` is where links lead; ``signing_key`` signs the survey's."""

    def __init__(self, database: Database, server: SmtpServer, *, sender: str, public_url: str, signing_key: str) -> None:
        self._database = database
        self._server = server
        self._sender = sender
        self._base = f"{public_url.rstrip('/')}/v1/api/helpdesk"
        self._signing_key = signing_key

    @activity.defn(name=DELIVER)
    async def deliver(self, ref: DeliveryRef) -> str:
        """Return how the letter ended; raise to be asked again. After an ambiguous end nobody sends it twice by himself."""
        async with self._database.reading(ref.merchant_id) as session:
            notification = await read_letter(session, ref)
            if notification.notification.round != ref.round or notification.notification.status is not NotificationStatus.PENDING:
                return notification.notification.status
            if notification.may_have_been_sent:
                await settle(session, ref, NotificationStatus.UNKNOWN)
                return NotificationStatus.UNKNOWN
        if notification.is_under_way:
            raise _later("somebody else has this letter")
        ending, status = await self._try(ref, notification)
        if status is NotificationStatus.PENDING:
            raise _later(ending.detail)
        return status

    async def _try(self, ref: DeliveryRef, notification: Letter) -> tuple[Ending, NotificationStatus]:
        begun: list[tuple[int, int]] = []

        async def commit_attempt() -> None:
            async with self._database.writing(ref.merchant_id) as session:
                begun.append(await begin_attempt(session, ref, _workflow_id()) or _nobody())

        mail = notification.notification
        try:
            receipt = await converse(self._server, self._compose(notification), self._sender, mail.address, before_data=commit_attempt)
            ending = Ending(AttemptOutcome.SENT, receipt.code, receipt.text)
        except DeliveryFailed as failed:
            ending = Ending(_outcome(failed), failed.code, failed.text)
        attempt, status = await self._end(ref, begun, ending)
        about = {"merchant_id": ref.merchant_id, "ticket_id": mail.ticket_id, "notification_id": mail.id, "workflow_id": _workflow_id()}
        log.info("notification.deliver", **about, attempt=attempt, outcome=ending.outcome, code=ending.code)
        return ending, status

    async def _end(self, ref: DeliveryRef, begun: list[tuple[int, int]], ending: Ending) -> tuple[int, NotificationStatus]:
        """The attempt and, at the end of its tries, the letter: in one transaction."""
        async with self._database.writing(ref.merchant_id) as session:
            if begun:
                await end_attempt(session, begun[0][0], ending)
            else:  # no text was sent
                begun.append(await begin_attempt(session, ref, _workflow_id(), ending) or _nobody())
            status = status_after(ending, begun[0][1])
            if status is not NotificationStatus.PENDING:
                await settle(session, ref, status)
        return begun[0][1], status

    def _compose(self, notification: Letter) -> EmailMessage:
        mail = notification.notification
        return compose(
            render(mail.kind, self._said(notification)),
            sender=self._sender,
            recipient_name=mail.recipient_name,
            recipient_address=mail.address,
            message_id=f"<notification-{mail.id}@{self._domain}>",
            thread_id=f"<ticket-{mail.ticket_id}@{self._domain}>",
        )

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _said(self, notification: Letter) -> dict[str, object]:
        """What the templates may say."""
        mail, ticket, context = notification.notification, notification.ticket, notification.notification.context
        survey = context.get("surveyId")
        token = sign(self._signing_key, "survey", [mail.merchant_id, survey]) if survey else ""
        return {
            "ticket": ticket.model_dump(include={"number", "subject", "status", "priority", "category"}),
            "recipient": {"name": mail.recipient_name},
            "actor_name": context.get("actorName"),
            "link": f"{self._base}/tickets/{ticket.id}",
            "message": notification.message,
            "level": context.get("level"),
            "metric": context.get("metric"),
            "due_at": context.get("dueAt"),
            "from_agent_name": notification.from_agent,
            "to_agent_name": notification.to_agent,
            "reason": context.get("reason"),
            "survey_url": f"{self._base}/surveys/{token}",
            "merchant_name": notification.merchant_name,
        }


def _outcome(failure: DeliveryFailed) -> AttemptOutcome:
    if isinstance(failure, AmbiguousFailure):
        return AttemptOutcome.UNKNOWN
    return AttemptOutcome.PERMANENT if isinstance(failure, PermanentFailure) else AttemptOutcome.TRANSIENT


def _later(why: str) -> ApplicationError:
    return ApplicationError(why, type="NotYet")


def _nobody() -> tuple[int, int]:
    """Between our look and our try somebody else took the letter, or settled it: it is not ours to send."""
    raise _later("somebody else has this letter")


def _workflow_id() -> str:
    return activity.info().workflow_id or activity.info().activity_id
