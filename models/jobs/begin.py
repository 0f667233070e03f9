"""A job is begun, paused, resumed and cancelled by people."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col

from models.audit import Change
from models.db.session import TenantSession, locked
from models.errors import Conflict, NotFound
from models.jobs.items import ids_left, last_of
from models.jobs.messages import JobFacts
from models.jobs.tables import URGENT, Job, JobKind, JobStatus
from models.outbox import post as outbox
from models.people.audit import record
from models.people.merchants import DIRECTORY
from models.sla.configuration import hold_configuration

MAX_LIVE = 3
MAX_HANDOVERS = 20
"""Running or paused jobs of a merchant. Urgent ones and handovers are counted by themselves: no dry run keeps one from beginning."""
LIVE: Final = (JobStatus.RUNNING, JobStatus.PAUSED)
TOLD: Final = ("rule", "ruleId", "version", "ticketId", "filter", "agentId", "tickets", "toAgentId")
"""Of a request: what people are told of it. Not the definition that a dry run proposes: its author has it."""
_HOLD_DIRECTORY: Final = sa.text("SELECT pg_advisory_xact_lock(120, 3)")


async def begin_job(session: TenantSession, kind: JobKind, request: dict[str, Any], change: Change) -> Job:
    """Start work over every ticket that is open now, or over those that ``request`` names; or over notifications, or merchants.

    A recalculation for an older version ends. What changes something is in the audit.

    Raises:
        Conflict: the same work is under way, or the merchant has as many live jobs as it may have.
    """
    request = request | await last_of(session, kind)
    total = (await session.execute(sa.select(sa.func.count()).select_from(ids_left(session, kind, request, 0).subquery()))).scalar_one()
    await _hold(session)  # of two at once the second sees the first, and no newer version comes in between
    if kind not in {JobKind.PREVIEW, JobKind.HANDOVER}:
        await _require_no_other(session, kind, request, change)
    await _require_room(session, kind)
    job = Job(
        merchant_id=session.merchant_id,
        id=session.new_id(),
        kind=kind,
        request=request,
        result={},
        total=total,
        cursor=0,
        created_by=change.by.as_text,
        created_at=change.at,
        updated_at=change.at,
    )
    session.insert(job)
    if kind not in {JobKind.PREVIEW, JobKind.HANDOVER}:  # a handover has an entry of its own, about the agent
        told = {name: [None, request[name]] for name in TOLD if name in request}
        record(session, change, "job.begun", job.id, jobKind=[None, kind], **told)
    outbox.post_job(session, facts_of(job), change)
    await session.write()
    return job


async def pause(session: TenantSession, job_id: int, change: Change) -> Job:
    """Raises: NotFound. Conflict: it is over."""
    return await _say(session, job_id, JobStatus.PAUSED, change, "job.paused")


async def resume(session: TenantSession, job_id: int, change: Change) -> Job:
    """Raises: NotFound. Conflict: it is over."""
    return await _say(session, job_id, JobStatus.RUNNING, change, "job.resumed")


async def cancel(session: TenantSession, job_id: int, change: Change) -> Job:
    """What was done stays done. Raises: NotFound. Conflict: it is over."""
    return await _say(session, job_id, JobStatus.CANCELLED, change, "job.cancelled")


async def go_on(session: TenantSession, job_id: int, change: Change, *, outranking: int = 0) -> None:
    """Signal its workflow once more, or start it again if it is gone; under a version above ``outranking``."""
    job = await lock_job(session, job_id)
    job.version, job.updated_at = max(job.version, outranking) + 1, change.at
    outbox.post_job(session, facts_of(job), change)
    await session.write()


async def _say(session: TenantSession, job_id: int, status: JobStatus, change: Change, kind: str) -> Job:
    job = await lock_job(session, job_id)
    if job.status not in LIVE:
        raise Conflict("job_is_over", f"The job is {job.status.value}.")
    if job.status is not status:
        record(session, change, kind, job.id, status=[job.status, status])
        job.status, job.version, job.updated_at = status, job.version + 1, change.at
        job.finished_at = None if status in LIVE else change.at
        outbox.post_job(session, facts_of(job), change)
    await session.write()
    return job


def facts_of(job: Job) -> JobFacts:
    return JobFacts(
        merchant_id=job.merchant_id,
        job_id=job.id,
        version=job.version,
        is_paused=job.status is JobStatus.PAUSED,
        has_ended=job.status not in LIVE,
        kind=job.kind,
        total=job.total,
        done=job.done,
    )


async def _hold(session: TenantSession) -> None:
    if session.merchant_id == DIRECTORY:
        await session.execute(_HOLD_DIRECTORY)
    else:
        await hold_configuration(session)


async def _require_no_other(session: TenantSession, kind: JobKind, request: dict[str, Any], change: Change) -> None:
    """One job for one purpose at a time: a second one would only find the tickets that the first has in hand."""
    for job_id, version in await _same(session, kind, request):
        if version == request.get("version"):
            raise Conflict("job_is_running", "The same work is under way.")
        older = await lock_job(session, job_id)
        if older.status in LIVE:
            overtake(older, request["version"], change.at)
            outbox.post_job(session, facts_of(older), change)


async def _require_room(session: TenantSession, kind: JobKind) -> None:
    """One that was overtaken in this transaction is over already."""
    most = MAX_HANDOVERS if kind is JobKind.HANDOVER else MAX_LIVE
    is_like_it = col(Job.kind).in_(_counted_with(kind))
    live = sa.select(Job).where(col(Job.merchant_id) == session.merchant_id, col(Job.status).in_(LIVE), is_like_it).order_by(col(Job.id))
    jobs = [job for job in (await session.execute(live)).scalars() if job.status in LIVE]
    if len(jobs) >= most:
        detail = f"There may be {most} such jobs at once. Wait until one is done, or cancel one with POST /jobs/{{id}}/cancel."
        shown = [{"id": str(job.id), "kind": job.kind, "status": job.status} for job in jobs]
        raise Conflict("too_many_jobs", detail, liveJobs=shown)


def _counted_with(kind: JobKind) -> Collection[JobKind]:
    by_themselves = (URGENT, frozenset({JobKind.HANDOVER}))
    return next((kinds for kinds in by_themselves if kind in kinds), frozenset(JobKind).difference(*by_themselves))


async def _same(session: TenantSession, kind: JobKind, request: dict[str, Any]) -> Sequence[tuple[int, int | None]]:
    """Id and version of what is under way. Not locked: a batch that runs delays no response."""
    same = (col(Job.kind) == kind) & col(Job.status).in_(LIVE) & (col(Job.merchant_id) == session.merchant_id)
    for name in ("ruleId", "ticketId"):
        same &= col(Job.request)[name].astext.is_not_distinct_from(request.get(name))
    found = await session.execute(sa.select(col(Job.id), col(Job.request)).where(same))
    return [(job_id, of.get("version")) for job_id, of in found if of.get("filter") == request.get("filter")]


def overtake(job: Job, newest: int, at: datetime) -> None:
    """A newer version was published: its own job takes the tickets that this one has not reached."""
    job.status, job.version, job.finished_at, job.updated_at = JobStatus.CANCELLED, job.version + 1, at, at
    job.result = {**job.result, "overtakenBy": newest}


async def lock_job(session: TenantSession, job_id: int) -> Job:
    found = await session.execute(locked(sa.select(Job).where(col(Job.merchant_id) == session.merchant_id, col(Job.id) == job_id)))
    job = found.scalar_one_or_none()
    if job is None:
        raise NotFound("job")
    return job
