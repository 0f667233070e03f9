"""Some batches of a job. A ticket that can't be worked on holds up no other."""

import time
from collections.abc import Callable
from datetime import datetime

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.db.failures import is_passing
from models.db.session import Database
from models.errors import NotFound
from models.jobs.messages import RUN_BATCH, JobFacts, JobRef
from models.jobs.run import BATCH, run_batch, skip_one
from models.outbox.relay import Relay

TURN_SECONDS = 5.0
"""How long one activity goes on: a person's word waits for one batch, the workflow hears of the progress after this."""
log = structlog.get_logger()


def temporal_clock() -> datetime:
    """When Temporal scheduled this try: not the clock of this process, nor of the one that began the job."""
    return activity.info().current_attempt_scheduled_time


class JobActivities:
    """``now`` is Temporal's clock, or one that a test moves."""

    def __init__(self, database: Database, relay: Relay, now: Callable[[], datetime] = temporal_clock) -> None:
        self._database = database
        self._relay = relay
        self._now = now

    @activity.defn(name=RUN_BATCH)
    async def run_batch(self, request: JobRef) -> JobFacts:
        until = time.monotonic() + TURN_SECONDS
        facts = await self._batch(request)
        while facts.goes_on and time.monotonic() < until:
            facts = await self._batch(request)
        return facts

    async def _batch(self, request: JobRef) -> JobFacts:
        about = _about(request)
        try:
            facts = await self._run(request, BATCH)
        except NotFound as missing:  # the job, as after a restored backup: no ticket is ever removed
            raise ApplicationError(missing.detail, type="NotFound", non_retryable=True) from missing
        except Exception as error:
            if is_passing(error):
                log.warning("job.interrupted", **about, error=type(error).__name__, goes_on="when Temporal tries again")
                raise
            log.warning("job.batch_failed", **about, error=type(error).__name__, goes_on="one by one")
            facts = await self._one_by_one(request)
        self._relay.trigger()
        log.info("job.batch", **about, done=facts.done, total=facts.total)
        return facts

    async def _one_by_one(self, request: JobRef) -> JobFacts:
        """As many as a batch has: the one that spoils it is among them."""
        facts = await self._one(request)
        for _ in range(BATCH - 1):
            if facts.goes_on:
                facts = await self._one(request)
        return facts

    async def _one(self, request: JobRef) -> JobFacts:
        try:
            return await self._run(request, 1)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception(
                "job.ticket_failed", **_about(request), error=type(error).__name__, goes_on="without the ticket, which its result names"
            )
            async with self._database.reading(request.merchant_id) as session:
                return await skip_one(session, request.job_id, self._now())

    async def _run(self, request: JobRef, size: int) -> JobFacts:
        async with self._database.writing(request.merchant_id) as session:
            return await run_batch(session, request.job_id, self._now(), size, request.request_id)


def _about(request: JobRef) -> dict[str, object]:
    return {"merchant_id": request.merchant_id, "job_id": request.job_id, "request_id": request.request_id}
