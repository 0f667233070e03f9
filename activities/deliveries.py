"""One letter, one conversation with the mail server, and the log of both."""

from datetime import UTC, datetime
from email.message import EmailMessage

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import AmbiguousFailure, DeliveryFailed, PermanentFailure
from activities.letters import compose, render
from activities.smtp import SmtpServer, converse
from models.links import sign
from models.messages.delivery import BURY, DELIVER, Burial, Delivery, NotificationStatus
from models.operations.deliver import Letter, begin_attempt, end_attempt, read_letter, settle_notification
from models.tables.outgoing import AttemptOutcome
from models.tables.session import Database

log = structlog.get_logger()
_FINAL = {AttemptOutcome.SENT: NotificationStatus.SENT, AttemptOutcome.UNKNOWN: NotificationStatus.UNKNOWN}


class DeliveryActivities:
    """``public_url`` is where links lead; ``signing_key`` signs the survey's."""

    def __init__(self, database: Database, server: SmtpServer, *, sender: str, public_url: str, signing_key: str) -> None:
        self._database = database
        self._server = server
        self._sender = sender
        self._base = f"{public_url.rstrip('/')}/v1/api/helpdesk"
        self._signing_key = signing_key

    @activity.defn(name=DELIVER)
    async def deliver(self, request: Delivery) -> str:
        """Return how the letter stands; raise to be tried again. After an ambiguous end nobody sends it twice by himself."""
        async with self._database.reading(request.merchant_id) as session:
            letter = await read_letter(session, request)
        if letter is None:
            return await self._settle(request, NotificationStatus.UNKNOWN)
        outcome, failure = await self._try(request, letter)
        if failure is None or outcome is AttemptOutcome.UNKNOWN:
            return _FINAL[outcome]
        raise ApplicationError(str(failure), type=outcome.value, non_retryable=outcome is AttemptOutcome.PERMANENT)

    @activity.defn(name=BURY)
    async def bury(self, request: Burial) -> str:
        async with self._database.reading(request.merchant_id) as session:
            return await settle_notification(session, request, NotificationStatus.DEAD, request.at)

    async def _try(self, request: Delivery, letter: Letter) -> tuple[AttemptOutcome, DeliveryFailed | None]:
        attempts: list[int] = []

        async def commit_attempt() -> None:
            attempts.append(await self._begin(request))

        mail = letter.notification
        outcome, code, detail, failure = AttemptOutcome.SENT, None, "", None
        try:
            receipt = await converse(self._server, self._compose(letter), self._sender, mail.address, before_data=commit_attempt)
            code, detail = receipt.code, receipt.text
        except DeliveryFailed as failed:
            outcome, code, detail, failure = _outcome(failed), failed.code, failed.text, failed
        await self._end(request, attempts, outcome, code, detail)
        log.info(
            "notification.deliver",
            merchant_id=request.merchant_id,
            ticket_id=mail.ticket_id,
            workflow_id=request.workflow_id,
            attempt=activity.info().attempt,
            outcome=outcome,
            code=code,
        )
        return outcome, failure

    async def _begin(self, request: Delivery) -> int:
        async with self._database.writing(request.merchant_id) as session:
            return await begin_attempt(session, request, activity.info().attempt, datetime.now(UTC))

    async def _end(self, request: Delivery, attempts: list[int], outcome: AttemptOutcome, code: int | None, detail: str) -> None:
        attempt = attempts[0] if attempts else await self._begin(request)  # one that ended before any text was sent
        now = datetime.now(UTC)
        async with self._database.reading(request.merchant_id) as session:
            await end_attempt(session, attempt, outcome, now, code, detail)
            if outcome in _FINAL:
                await settle_notification(session, request, _FINAL[outcome], now)

    async def _settle(self, request: Delivery, status: NotificationStatus) -> str:
        async with self._database.reading(request.merchant_id) as session:
            return await settle_notification(session, request, status, datetime.now(UTC))

    def _compose(self, letter: Letter) -> EmailMessage:
        mail = letter.notification
        return compose(
            render(mail.kind, self._said(letter)),
            sender=self._sender,
            recipient_name=mail.recipient_name,
            recipient_address=mail.address,
            message_id=f"<notification-{mail.id}@{self._domain}>",
            thread_id=f"<ticket-{mail.ticket_id}@{self._domain}>",
        )

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _said(self, letter: Letter) -> dict[str, object]:
        """What the templates may say."""
        mail, ticket, context = letter.notification, letter.ticket, letter.notification.context
        survey = context.get("surveyId")
        token = sign(self._signing_key, "survey", [mail.merchant_id, survey]) if survey else ""
        return {
            "ticket": ticket.model_dump(include={"number", "subject", "status", "priority", "category"}),
            "recipient": {"name": mail.recipient_name},
            "actor_name": context.get("actorName"),
            "link": f"{self._base}/tickets/{ticket.id}",
            "message": letter.message.body if letter.message else None,
            "level": context.get("level"),
            "metric": context.get("metric"),
            "due_at": context.get("dueAt"),
            "from_agent_name": letter.agents.get(context.get("fromAgentId") or 0),
            "to_agent_name": letter.agents.get(context.get("toAgentId") or 0),
            "reason": context.get("reason"),
            "survey_url": f"{self._base}/surveys/{token}",
            "merchant_name": letter.merchant.name,
        }


def _outcome(failure: DeliveryFailed) -> AttemptOutcome:
    if isinstance(failure, AmbiguousFailure):
        return AttemptOutcome.UNKNOWN
    return AttemptOutcome.PERMANENT if isinstance(failure, PermanentFailure) else AttemptOutcome.TRANSIENT
