"""Work over many things, a batch in a transaction: how far it is moves with what it has done, so a crash repeats nothing."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

import structlog

from models.audit import Actor, Change
from models.db.session import TenantSession
from models.jobs.begin import LIVE, facts_of, lock_job
from models.jobs.checks import check, check_merchants
from models.jobs.handover import hand_over_tickets
from models.jobs.items import next_left
from models.jobs.messages import JobFacts, called
from models.jobs.recalculation import preview, recalculate
from models.jobs.replays import replay_notifications
from models.jobs.result import name_ids
from models.jobs.tables import Job, JobKind, JobStatus
from models.platform.metrics import JOB_TICKETS, JOBS_DONE

BATCH = 100
log = structlog.get_logger()
Work = Callable[[TenantSession, Job, int, Change], Awaitable[list[int]]]
"""Looks at so many of what is left, and returns their ids."""
_WORK: Final[Mapping[JobKind, Work]] = MappingProxyType(
    {
        JobKind.RECALCULATION: recalculate,
        JobKind.PREVIEW: preview,
        JobKind.SLA_CHECK: check,
        JobKind.ALL_SLA_CHECKS: check_merchants,
        JobKind.NOTIFICATION_REPLAY: replay_notifications,
        JobKind.HANDOVER: hand_over_tickets,
    }
)


async def run_batch(session: TenantSession, job_id: int, at: datetime, size: int = BATCH, request_id: str | None = None) -> JobFacts:
    """Look at the next ones. A job that a person paused or ended meanwhile is left as it is."""
    job = await lock_job(session, job_id)
    if job.status is not JobStatus.RUNNING:
        return facts_of(job)
    change = Change(by=Actor.of_text(job.created_by), at=at, request_id=request_id)
    looked_at = await _WORK[job.kind](session, job, size, change)
    job.done += len(looked_at)
    session.once_committed(partial(JOB_TICKETS.labels(job.kind, "looked_at").inc, len(looked_at)))
    job.cursor = max(looked_at, default=job.cursor)
    job.updated_at = at
    await _end_if_over(session, job, at)
    await session.write()
    return facts_of(job)


async def skip_one(session: TenantSession, job_id: int, at: datetime) -> JobFacts:
    """The next one can't be worked on: it is counted and named, and the others have their turn."""
    job = await lock_job(session, job_id)
    next_id = await next_left(session, job)
    if next_id is not None and job.status is JobStatus.RUNNING:
        job.done, job.failed, job.cursor, job.updated_at = job.done + 1, job.failed + 1, next_id, at
        name_ids(job, f"failed{called(job.kind).title()}Ids", [next_id])
        session.once_committed(JOB_TICKETS.labels(job.kind, "failed").inc)
        await _end_if_over(session, job, at)
    await session.write()
    return facts_of(job)


async def _end_if_over(session: TenantSession, job: Job, at: datetime) -> None:
    if job.status in LIVE and await next_left(session, job) is None:
        job.status, job.finished_at, job.version = JobStatus.DONE, at, job.version + 1
        session.once_committed(JOBS_DONE.labels(job.kind).inc)
        counts = {"total": job.total, "changed": job.changed, "failed": job.failed}
        say = log.error if job.failed else log.info
        session.once_committed(partial(say, "job.done", merchant_id=job.merchant_id, job_id=job.id, kind=job.kind, **counts))
