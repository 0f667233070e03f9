"""What the relay tells the engine: news of a ticket or of a job, one call each; letters, a merchant's in one bag."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from models.jobs import messages as jobs
from models.jobs.messages import JobFacts
from models.notifications import messages as deliveries
from models.notifications.messages import DeliveryBatch, DeliveryRef
from models.outbox.tables import Topic
from models.tickets import messages as tickets
from models.tickets.messages import TicketFacts, TicketLife
from models.tickets.search_attributes import describe

_RPC_TIMEOUT = timedelta(seconds=5)


class Parcel(NamedTuple):
    """A row of the outbox."""

    merchant_id: int
    key: str
    topic: Topic
    version: int
    payload: dict[str, object]


Load = Sequence[Parcel]
"""What is told in one call."""


class Carrier(Protocol):
    """Knows how to tell the engine of some topics. ``pause`` is how many seconds a relay that was not woken waits between two looks."""

    topics: tuple[Topic, ...]
    pause: float

    def loads(self, parcels: Sequence[Parcel]) -> Iterable[Load]: ...

    async def deliver(self, load: Load) -> None: ...


class NewsCarrier:
    """Each ticket and each job by itself. A message that arrives twice or late does no harm: it carries state, and the newest wins."""

    topics: tuple[Topic, ...] = (Topic.TICKET, Topic.JOB)
    pause = 1.0

    def __init__(self, client: Client) -> None:
        self._client = client

    def loads(self, parcels: Sequence[Parcel]) -> Iterable[Load]:
        return [[parcel] for parcel in parcels]

    async def deliver(self, load: Load) -> None:
        for parcel in load:
            if parcel.topic is Topic.JOB:
                await self._signal_job(JobFacts.model_validate(parcel.payload))
            else:
                await self._signal_ticket(TicketFacts.model_validate(parcel.payload))

    async def _signal_job(self, facts: JobFacts) -> None:
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
            static_summary=f"{facts.kind} of merchant {facts.merchant_id}",
            priority=_fairly(facts.merchant_id),
            rpc_timeout=_RPC_TIMEOUT,
        )

    async def _signal_ticket(self, facts: TicketFacts) -> None:
        if facts.has_ended:
            await self._signal(facts, tickets.ADOPT)
        elif facts.version == 1:
            await self._start_ticket(facts)
        else:
            await self._start_ticket(facts, start_signal=tickets.ADOPT, start_signal_args=[facts])

    async def _start_ticket(self, facts: TicketFacts, **signal: Any) -> None:
        try:
            await self._client.start_workflow(
                tickets.WORKFLOW,
                TicketLife(facts=facts),
                id=facts.workflow_id,
                task_queue=tickets.TASK_QUEUE,
                search_attributes=describe(facts),
                static_summary=f"Ticket #{facts.number} of merchant {facts.merchant_id}",
                priority=_fairly(facts.merchant_id),
                rpc_timeout=_RPC_TIMEOUT,
                **signal,
            )
        except WorkflowAlreadyStartedError:
            await self._signal(facts, tickets.ADOPT)

    async def _signal(self, facts: TicketFacts | JobFacts, name: str) -> None:
        """To a workflow that may have ended: then there is nobody left to tell."""
        handle = self._client.get_workflow_handle(facts.workflow_id)
        try:
            await handle.signal(name, facts, rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


class LetterCarrier:
    """A merchant's letters that wait together travel in one workflow: a workflow is what a letter would cost most.

    Nobody wakes it, so that letters find company for half a second. ``retry_seconds`` is the pause before a letter's second try.
    """

    topics: tuple[Topic, ...] = (Topic.DELIVERY,)
    pause = 0.5

    def __init__(self, client: Client, *, retry_seconds: float) -> None:
        self._client = client
        self._retry_seconds = retry_seconds

    def loads(self, parcels: Sequence[Parcel]) -> Iterable[Load]:
        """One that can't be read travels by itself, and holds up no other."""
        bags: dict[tuple[int, str], list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            bags[parcel.merchant_id, "" if _is_readable(parcel) else parcel.key].append(parcel)
        return bags.values()

    async def deliver(self, load: Load) -> None:
        """Start a workflow of its own for them, also when they come again: the delivery log sees to it that no letter is sent twice."""
        merchant_id = load[0].merchant_id
        letters = tuple(DeliveryRef.model_validate(parcel.payload) for parcel in load)
        await self._client.start_workflow(
            deliveries.WORKFLOW,
            DeliveryBatch(merchant_id=merchant_id, notifications=letters, retry_seconds=self._retry_seconds),
            id=f"delivery-{letters[0].notification_id}-{secrets.token_hex(4)}",
            task_queue=deliveries.TASK_QUEUE,
            static_summary=f"{len(letters)} {'letter' if len(letters) == 1 else 'letters'} of merchant {merchant_id}",
            priority=_fairly(merchant_id),
            rpc_timeout=_RPC_TIMEOUT,
        )


def _is_readable(notification: Parcel) -> bool:
    try:
        DeliveryRef.model_validate(notification.payload)
    except ValidationError:
        return False
    return True


def _fairly(merchant_id: int) -> Priority:
    """One merchant's storm does not starve the others, where the server's fairness is on."""
    return Priority(fairness_key=str(merchant_id))
