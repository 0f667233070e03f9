"""The relay: it brings what the outbox holds to the engine, at least once, and deletes it only when the engine has acknowledged it.

It runs in the API's process, woken after each commit, and in every worker, where it sweeps up what a dead process left. Two relays
never have the same row: a row is leased, in a transaction of its own, so that no writer waits for the engine. A message that arrives twice
or late does no harm: it carries state, and the newest wins.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from models.messages import delivery as deliveries
from models.messages import job as jobs
from models.messages import ticket as tickets
from models.messages.delivery import Delivery, DeliveryRef
from models.messages.job import JobFacts
from models.messages.search_attributes import describe
from models.messages.ticket import TicketFacts, TicketLife
from models.tables.outgoing import Topic
from models.tables.session import engine_of

BATCH = 32
SWEEP_SECONDS = 1.0
_RPC_TIMEOUT = timedelta(seconds=5)
_CLAIM = sa.text("""
    UPDATE outbox SET leased_until = clock_timestamp() + interval '20 seconds'
    FROM (SELECT merchant_id, workflow_id FROM outbox WHERE leased_until IS NULL OR leased_until < clock_timestamp()
          ORDER BY topic = 'delivery', written_at LIMIT :batch FOR UPDATE SKIP LOCKED) AS waiting
    WHERE outbox.merchant_id = waiting.merchant_id AND outbox.workflow_id = waiting.workflow_id
    RETURNING outbox.merchant_id, outbox.workflow_id, outbox.topic, outbox.version, outbox.payload, outbox.request_id
""")
# What was replaced by a newer message meanwhile has another version: it stays.
# A row that a writer holds is being replaced: it is skipped, so that no writer and no relay ever wait for each other.
_MINE = """
    (SELECT merchant_id, workflow_id FROM outbox
     WHERE workflow_id = :workflow_id AND merchant_id = :merchant_id AND version = :version FOR UPDATE SKIP LOCKED) AS mine
    WHERE outbox.merchant_id = mine.merchant_id AND outbox.workflow_id = mine.workflow_id
"""
_DELETE = sa.text(f"DELETE FROM outbox USING {_MINE}")  # noqa: S608 - our own text
_HAND_BACK = sa.text(f"UPDATE outbox SET leased_until = clock_timestamp() + make_interval(secs => :seconds) FROM {_MINE}")  # noqa: S608
log = structlog.get_logger()


class Parcel(NamedTuple):
    merchant_id: int
    workflow_id: str
    topic: Topic
    version: int
    payload: dict[str, object]
    request_id: str | None

    @property
    def key(self) -> dict[str, object]:
        return {"merchant_id": self.merchant_id, "workflow_id": self.workflow_id, "version": self.version}


class Relay:
    """``url`` is the relay role's. ``at_once`` bounds how many calls to the engine are under way."""

    def __init__(self, url: str, client: Client, *, retry_seconds: float, at_once: int = 8) -> None:
        self._database = engine_of(url, pool_size=2)
        self._client = client
        self._retry_seconds = retry_seconds
        self._at_once = asyncio.Semaphore(at_once)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until cancelled. A database or an engine that is away is tried again every second."""
        try:
            while True:
                self._woken.clear()
                if await self._relay_once_safely() < BATCH:
                    await self._wait()
        finally:
            await self._database.dispose()

    async def relay_once(self) -> int:
        """Deliver one batch; return how many rows it had."""
        parcels = await self._claim()
        delivered = await asyncio.gather(*(self._deliver_safely(parcel) for parcel in parcels))
        await self._settle(parcels, delivered)
        return len(parcels) if all(delivered) else 0

    async def _relay_once_safely(self) -> int:
        try:
            return await self.relay_once()
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("relay.database_away", error=type(error).__name__)
            return 0

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), SWEEP_SECONDS)
        except TimeoutError:
            return

    async def _claim(self) -> Sequence[Parcel]:
        async with self._database.begin() as connection:
            found = await connection.execute(_CLAIM, {"batch": BATCH})
            return [Parcel(row.merchant_id, row.workflow_id, Topic(row.topic), row.version, row.payload, row.request_id) for row in found]

    async def _settle(self, parcels: Sequence[Parcel], delivered: Iterable[bool]) -> None:
        done = [parcel.key for parcel, is_done in zip(parcels, delivered, strict=True) if is_done]
        failed = [parcel.key | {"seconds": SWEEP_SECONDS} for parcel in parcels if parcel.key not in done]
        if not parcels:
            return
        async with self._database.begin() as connection:
            if done:
                await connection.execute(_DELETE, done)
            if failed:
                await connection.execute(_HAND_BACK, failed)

    async def _deliver_safely(self, parcel: Parcel) -> bool:
        async with self._at_once:
            try:
                await self._deliver(parcel)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one parcel, the others are delivered
                about = {"workflow_id": parcel.workflow_id, "merchant_id": parcel.merchant_id}
                log.warning("relay.not_delivered", **about, error=type(error).__name__)
                return False
        return True

    async def _deliver(self, parcel: Parcel) -> None:
        if parcel.topic is Topic.DELIVERY:
            await self._start_delivery(DeliveryRef.model_validate(parcel.payload))
        elif parcel.topic is Topic.JOB:
            await self._tell_job(JobFacts.model_validate(parcel.payload))
        else:
            await self._tell_ticket(TicketFacts.model_validate(parcel.payload))

    async def _start_delivery(self, ref: DeliveryRef) -> None:
        try:
            await self._client.start_workflow(
                deliveries.WORKFLOW,
                Delivery(**ref.model_dump(), retry_seconds=self._retry_seconds),
                id=ref.workflow_id,
                task_queue=deliveries.TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                priority=Priority(fairness_key=str(ref.merchant_id)),
                request_eager_start=True,  # a relay beside a worker hands it the first task at once
                rpc_timeout=_RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return

    async def _tell_job(self, facts: JobFacts) -> None:
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
            priority=Priority(fairness_key=str(facts.merchant_id)),
            rpc_timeout=_RPC_TIMEOUT,
        )

    async def _tell_ticket(self, facts: TicketFacts) -> None:
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
                priority=Priority(fairness_key=str(facts.merchant_id)),
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
