"""One batch of a job. A ticket that can't be worked on holds up no other."""

import sqlalchemy as sa
import structlog
from temporalio import activity

from models.messages.job import RUN_BATCH, BatchAt, JobFacts
from models.operations.job import run_batch, skip_one
from models.relay import Relay
from models.tables.session import Database

log = structlog.get_logger()
_AWAY = (sa.exc.InterfaceError, sa.exc.OperationalError, sa.exc.TimeoutError, OSError, TimeoutError)
"""The database is away or busy: the whole batch is tried again later."""


class JobActivities:
    def __init__(self, database: Database, relay: Relay) -> None:
        self._database = database
        self._relay = relay

    @activity.defn(name=RUN_BATCH)
    async def run_batch(self, request: BatchAt) -> JobFacts:
        try:
            facts = await self._run(request)
        except _AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one ticket, the others have their turn
            log.warning("job.batch_failed", merchant_id=request.merchant_id, job_id=request.job_id, error=type(error).__name__)
            facts = await self._run_one(request)
        self._relay.wake()
        about = {"merchant_id": request.merchant_id, "job_id": request.job_id, "request_id": request.request_id}
        log.info("job.batch", **about, done=facts.done, total=facts.total)
        return facts

    async def _run(self, request: BatchAt, **size: int) -> JobFacts:
        async with self._database.writing(request.merchant_id) as session:
            return await run_batch(session, request.job_id, request.at, **size)

    async def _run_one(self, request: BatchAt) -> JobFacts:
        try:
            return await self._run(request, size=1)
        except _AWAY:
            raise
        except Exception:  # noqa: BLE001 - named in the job's result
            async with self._database.reading(request.merchant_id) as session:
                return await skip_one(session, request.job_id, request.at)
