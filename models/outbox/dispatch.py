"""Sending to Temporal what the outbox holds: a ticket's or a job's facts, one call each; a merchant's notifications, as one batch."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from models.jobs import messages as jobs
from models.jobs.messages import JobFacts
from models.jobs.tables import URGENT
from models.notifications import messages as notifications
from models.notifications.messages import DeliveryBatch, DeliveryRef
from models.outbox import description
from models.outbox.tables import Topic
from models.platform import tracing
from models.platform.metrics import RELAYED
from models.tickets import messages as tickets
from models.tickets.messages import TicketFacts, TicketLife
from models.tickets.search_attributes import describe

BATCH_SECONDS = 15.0
"""How long the calls of a batch may take, all of them: 32 rows at 8 calls at once are 4 in a row, of half a second at most on a bad day."""
FIRST = 1
"""Of Temporal's five priorities; 3 is the usual one. A check of the SLA and a replay come before other jobs."""
_RPC_TIMEOUT = timedelta(seconds=5)
log = structlog.get_logger()


class OutboxRow(NamedTuple):
    merchant_id: int
    key: str
    topic: Topic
    version: int
    payload: dict[str, object]


class Dispatched(NamedTuple):
    """What Temporal has acknowledged, and what it will never acknowledge as it is: the rest may get through in a moment."""

    sent: list[OutboxRow]
    unsendable: list[OutboxRow]


class Dispatcher:
    """``retry_seconds`` is the pause before a notification's second try; ``at_once`` bounds how many calls are under way.

    ``public_url`` is where the links lead that an operator finds in the Temporal UI.
    """

    def __init__(self, client: Client, *, retry_seconds: float, public_url: str, at_once: int = 8) -> None:
        self._client = client
        self._public_url = public_url.rstrip("/")
        self._retry_seconds = retry_seconds
        self._at_once = asyncio.Semaphore(at_once)

    async def dispatch(self, rows: Sequence[OutboxRow]) -> Dispatched:
        """Send the rows.

        A row that arrives twice or late does no harm: facts carry a version, and the delivery log keeps a notification from being sent
        twice. After BATCH_SECONDS what is not sent is given up: the relay hands it back.
        """
        until = asyncio.get_running_loop().time() + BATCH_SECONDS
        groups = list(_grouped(rows))
        errors = await asyncio.gather(*(self._send_safely(group, until) for group in groups))
        done = Dispatched([], [])
        for group, error in zip(groups, errors, strict=True):
            outcome = "sent" if error is None else "refused" if _is_of_the_row(error) else "not_sent"
            RELAYED.labels(group[0].topic, outcome).inc(len(group))
            if outcome == "sent":
                done.sent.extend(group)
            elif outcome == "refused":
                done.unsendable.extend(group)
        return done

    async def _send_safely(self, rows: Sequence[OutboxRow], until: float) -> Exception | None:
        """Whatever is wrong with these, the others are sent."""
        try:
            async with asyncio.timeout_at(until), self._at_once:
                with tracing.continued(rows[0].payload):
                    await self._send(rows)
        except Exception as error:  # noqa: BLE001 - as the docstring says
            about = {"merchant_id": rows[0].merchant_id, "keys": [row.key for row in rows]}
            log.warning("outbox.not_sent", **about, error=type(error).__name__, is_of_the_row=_is_of_the_row(error))
            return error
        return None

    async def _send(self, rows: Sequence[OutboxRow]) -> None:
        match rows[0].topic:
            case Topic.TICKET:
                await self._send_ticket(TicketFacts.model_validate(rows[0].payload))
            case Topic.JOB:
                await self._send_job(JobFacts.model_validate(rows[0].payload))
            case Topic.DELIVERY:
                await self._send_notifications([DeliveryRef.model_validate(row.payload) for row in rows])

    async def _send_ticket(self, facts: TicketFacts) -> None:
        if facts.has_ended:
            await self._signal(facts, tickets.ADOPT)
        elif facts.version == 1:
            await self._start_ticket(facts)
        else:
            await self._start_ticket(facts, start_signal=tickets.ADOPT, start_signal_args=[facts])
        _log(facts)

    async def _start_ticket(self, facts: TicketFacts, **signal: Any) -> None:
        try:
            await self._client.start_workflow(
                tickets.WORKFLOW,
                TicketLife(facts=facts),
                id=facts.workflow_id,
                task_queue=tickets.TASK_QUEUE,
                search_attributes=describe(facts),
                static_summary=description.summary_of_ticket(facts),
                static_details=description.details_of_ticket(facts, self._public_url),
                priority=_fairly(facts.merchant_id),
                rpc_timeout=_RPC_TIMEOUT,
                **signal,
            )
        except WorkflowAlreadyStartedError:
            await self._signal(facts, tickets.ADOPT)

    async def _send_job(self, facts: JobFacts) -> None:
        if facts.has_ended:
            await self._signal(facts, jobs.ADOPT)
            return
        await self._client.start_workflow(
            jobs.WORKFLOW,
            facts,
            id=facts.workflow_id,
            task_queue=jobs.TASK_QUEUE,
            start_signal=jobs.ADOPT,
            start_signal_args=[facts],
            search_attributes=description.attributes_of_merchant(facts.merchant_id, ""),
            static_summary=description.summary_of_job(facts),
            static_details=description.details_of_job(facts, self._public_url),
            priority=_fairly(facts.merchant_id, FIRST if facts.kind in URGENT else None),
            rpc_timeout=_RPC_TIMEOUT,
        )

    async def _signal(self, facts: TicketFacts | JobFacts, name: str) -> None:
        """Signal a workflow that may have ended: then there is nothing left to signal."""
        handle = self._client.get_workflow_handle(facts.workflow_id)
        try:
            await handle.signal(name, facts, rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _send_notifications(self, batch: Sequence[DeliveryRef]) -> None:
        """In a workflow of their own, also when they come again."""
        first = batch[0]
        await self._client.start_workflow(
            notifications.WORKFLOW,
            DeliveryBatch(merchant_id=first.merchant_id, notifications=tuple(batch), retry_seconds=self._retry_seconds),
            id=f"delivery-{first.notification_id}-{secrets.token_hex(4)}",
            task_queue=notifications.TASK_QUEUE,
            search_attributes=description.attributes_of_merchant(first.merchant_id, first.merchant_slug),
            static_summary=description.summary_of_delivery(batch),
            static_details=description.details_of_delivery(batch, self._public_url),
            priority=_fairly(first.merchant_id),
            rpc_timeout=_RPC_TIMEOUT,
        )


def _log(facts: TicketFacts) -> None:
    """What the ticket's workflow waits for from here on."""
    due_at = facts.deadlines[0].due_at.isoformat() if facts.deadlines else None
    about = {"merchant_id": facts.merchant_id, "ticket_id": facts.ticket_id, "request_id": facts.request_id}
    log.info("ticket.monitor_scheduled", **about, version=facts.version, next_deadline_at=due_at, has_ended=facts.has_ended)


def _is_of_the_row(error: Exception) -> bool:
    """Whether it can't be read, or Temporal refuses what it says. Anything else may pass: a server that is away, a key that has expired."""
    is_refused = isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT
    return is_refused or isinstance(error, (ValueError, TypeError))


def _grouped(rows: Sequence[OutboxRow]) -> Iterable[Sequence[OutboxRow]]:
    """What goes in one call. A merchant's notifications go together: a workflow is what one of them would cost most.

    One that can't be read goes by itself, and holds up no other. So do those of a trace that is kept: a workflow is in one trace.
    """
    groups: dict[tuple[int, str], list[OutboxRow]] = defaultdict(list)
    for row in rows:
        together = tracing.trace_of(row.payload) if row.topic is Topic.DELIVERY and _is_readable(row) else row.key
        groups[row.merchant_id, together].append(row)
    return groups.values()


def _is_readable(row: OutboxRow) -> bool:
    try:
        DeliveryRef.model_validate(row.payload)
    except ValidationError:
        return False
    return True


def _fairly(merchant_id: int, priority_key: int | None = None) -> Priority:
    """One merchant's storm does not starve the others, where the server's fairness is on."""
    return Priority(priority_key=priority_key, fairness_key=str(merchant_id))
