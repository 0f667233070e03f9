"""Work over many tickets, a batch in a transaction: how far it is moves with what it has done, so a crash repeats nothing."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import Select
from sqlmodel import col

from models.audit import SYSTEM, Actor, Change
from models.db.session import TenantSession, locked
from models.errors import Conflict, NotFound
from models.jobs.messages import JobFacts
from models.jobs.result import count, name_tickets, tally
from models.jobs.tables import Job, JobKind, JobStatus
from models.outbox import post as outbox
from models.platform.metrics import JOB_TICKETS, JOBS_DONE
from models.sla.configuration import hold_configuration
from models.sla.definitions import VALUES
from models.sla.recalculate import ConfigurationRef, forecast_change, retime
from models.sla.rulebook import PROPOSED, Rulebook, rulebook, traits_of
from models.sla.run_due import due_now, run_due
from models.sla.tables import ConfigurationKind
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import is_at_work
from models.tickets.filter import tickets_of
from models.tickets.handover import hand_over
from models.tickets.repository import load, lock, lock_all, save, with_id
from models.tickets.tables import Ticket

BATCH = 100
log = structlog.get_logger()
MAX_LIVE = 3
MAX_HANDOVERS = 20
"""Running or paused jobs of a merchant. Checks and handovers are counted by themselves: no dry run keeps one from beginning."""
BY_THEMSELVES = (JobKind.SLA_CHECK, JobKind.HANDOVER)
LIVE = (JobStatus.RUNNING, JobStatus.PAUSED)


async def begin_job(session: TenantSession, kind: JobKind, request: dict[str, Any], change: Change) -> Job:
    """Start work over every ticket that is open now, or over the one that ``request`` names.

    A recalculation for an older version ends.

    Raises:
        Conflict: the same work is under way, or the merchant has as many live jobs as it may have.
    """
    last = (await session.execute(sa.select(sa.func.max(Ticket.id)))).scalar_one()
    request = request | {"lastTicketId": str(last or 0)}
    total = (await session.execute(sa.select(sa.func.count()).select_from(tickets_of(session, request, 0).subquery()))).scalar_one()
    await hold_configuration(session)  # of two at once the second sees the first, and no newer version comes in between
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
    outbox.post_job(session, facts_of(job), change)
    await session.write()
    return job


async def pause(session: TenantSession, job_id: int, change: Change) -> Job:
    """Raises: NotFound. Conflict: it is over."""
    return await _say(session, job_id, JobStatus.PAUSED, change)


async def resume(session: TenantSession, job_id: int, change: Change) -> Job:
    """Raises: NotFound. Conflict: it is over."""
    return await _say(session, job_id, JobStatus.RUNNING, change)


async def cancel(session: TenantSession, job_id: int, change: Change) -> Job:
    """What was done stays done. Raises: NotFound. Conflict: it is over."""
    return await _say(session, job_id, JobStatus.CANCELLED, change)


async def go_on(session: TenantSession, job_id: int, change: Change, *, outranking: int = 0) -> None:
    """Signal its workflow once more, or start it again if it is gone; under a version above ``outranking``."""
    job = await _locked(session, job_id)
    job.version, job.updated_at = max(job.version, outranking) + 1, change.at
    outbox.post_job(session, facts_of(job), change)
    await session.write()


async def run_batch(session: TenantSession, job_id: int, at: datetime, size: int = BATCH, request_id: str | None = None) -> JobFacts:
    """Look at the next tickets. A job that a person paused or ended meanwhile is left as it is."""
    job = await _locked(session, job_id)
    if job.status is not JobStatus.RUNNING:
        return facts_of(job)
    change = Change(by=Actor.of_text(job.created_by), at=at, request_id=request_id)
    looked_at = await _WORK[job.kind](session, job, tickets_of(session, job.request, job.cursor).limit(size), change)
    job.done += len(looked_at)
    session.once_committed(partial(JOB_TICKETS.labels(job.kind, "looked_at").inc, len(looked_at)))
    job.cursor = max(looked_at, default=job.cursor)
    job.updated_at = at
    await _end_if_over(session, job, at)
    await session.write()
    return facts_of(job)


async def skip_one(session: TenantSession, job_id: int, at: datetime) -> JobFacts:
    """The next ticket can't be worked on: it is counted and named, and the others have their turn."""
    job = await _locked(session, job_id)
    ticket = (await session.execute(tickets_of(session, job.request, job.cursor).limit(1))).scalar_one_or_none()
    if ticket is not None and job.status is JobStatus.RUNNING:
        job.done, job.failed, job.cursor, job.updated_at = job.done + 1, job.failed + 1, ticket.id, at
        name_tickets(job, "failedTicketIds", [ticket.id])
        session.once_committed(JOB_TICKETS.labels(job.kind, "failed").inc)
        await _end_if_over(session, job, at)
    await session.write()
    return facts_of(job)


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


async def _recalculate(session: TenantSession, job: Job, tickets: Select[Ticket], change: Change) -> list[int]:
    book, configuration = await rulebook(session), _configuration(job)
    if book.current(configuration.id) != job.request["version"]:
        _overtake(job, book.current(configuration.id), change.at)
        return []
    locked_tickets = await lock_all(session, tickets, change)
    shifted = [ticket for ticket in locked_tickets if await _retime(job, ticket, book, configuration)]
    if shifted:
        await save(*shifted)
    return [ticket.row.id for ticket in locked_tickets]


async def _retime(job: Job, ticket: TicketAggregate, book: Rulebook, configuration: ConfigurationRef) -> bool:
    shift = await forecast_change(ticket, book, configuration)
    if shift is None:
        return False
    count(job, ticket, shift)
    await retime(ticket, book, configuration, shift, job.id)
    return True


async def _preview(session: TenantSession, job: Job, tickets: Select[Ticket], change: Change) -> list[int]:
    """The dry run: nothing is locked, and nothing but the job is written."""
    configuration, book, definition = _configuration(job), await rulebook(session), job.request.get("definition")
    if definition:
        book = book.proposing(configuration.id, await asyncio.to_thread(VALUES[configuration.kind].model_validate, definition))
    found = (await session.execute(tickets)).scalars().all()
    for ticket in await load(session, found, change):
        if shift := await forecast_change(ticket, book, configuration):
            count(job, ticket, shift)
    if configuration.kind is ConfigurationKind.POLICY:
        tally(job, [book.standing(traits_of(row), configuration.id) for row in found])
    return [row.id for row in found]


async def _check(session: TenantSession, job: Job, tickets: Select[Ticket], change: Change) -> list[int]:
    """What is overdue is acted on now, one ticket in a transaction: who acts may need a team's row, and locks no ticket after it."""
    rows = await session.execute(tickets.with_only_columns(col(Ticket.id), col(Ticket.next_deadline_at)))
    looked_at = []
    for ticket_id, next_deadline_at in rows:
        looked_at.append(ticket_id)
        if next_deadline_at is not None and next_deadline_at <= change.at:
            await _check_one(session, job, ticket_id, change)
            break
    return looked_at


async def _check_one(session: TenantSession, job: Job, ticket_id: int, change: Change) -> None:
    ticket = await lock(session, with_id(ticket_id), change.model_copy(update={"by": SYSTEM}))
    if due_now(ticket):
        await run_due(ticket)
        job.changed += 1
        name_tickets(job, "overdueTicketIds", [ticket_id])
    await save(ticket)


async def _hand_over(session: TenantSession, job: Job, tickets: Select[Ticket], change: Change) -> list[int]:
    """One ticket in a transaction, too. Under its lock it may be another agent's by now, or finished: it is no longer among ``tickets``."""
    ticket_id = (await session.execute(tickets.with_only_columns(col(Ticket.id)).limit(1))).scalar_one_or_none()
    if ticket_id is None:
        return []
    ticket = await lock(session, with_id(ticket_id), change)
    if ticket.row.assignee_id == int(job.request["agentId"]) and is_at_work(ticket.row):
        job.changed += await hand_over(ticket, int(job.request["toAgentId"]) if "toAgentId" in job.request else None)
    await save(ticket)
    return [ticket_id]


_WORK = {JobKind.RECALCULATION: _recalculate, JobKind.PREVIEW: _preview, JobKind.SLA_CHECK: _check, JobKind.HANDOVER: _hand_over}


async def _require_no_other(session: TenantSession, kind: JobKind, request: dict[str, Any], change: Change) -> None:
    """One job for one purpose at a time: a second one would only find the tickets that the first has in hand."""
    for job_id, version in await _same(session, kind, request):
        if version == request.get("version"):
            raise Conflict("job_is_running", "The same work is under way.")
        older = await _locked(session, job_id)
        if older.status in LIVE:
            _overtake(older, request["version"], change.at)
            outbox.post_job(session, facts_of(older), change)


async def _require_room(session: TenantSession, kind: JobKind) -> None:
    """One that was overtaken in this transaction is over already."""
    most = MAX_HANDOVERS if kind is JobKind.HANDOVER else MAX_LIVE
    is_alike = col(Job.kind) == kind if kind in BY_THEMSELVES else col(Job.kind).not_in(BY_THEMSELVES)
    live = sa.select(Job).where(col(Job.merchant_id) == session.merchant_id, col(Job.status).in_(LIVE), is_alike).order_by(col(Job.id))
    jobs = [job for job in (await session.execute(live)).scalars() if job.status in LIVE]
    if len(jobs) >= most:
        detail = f"There may be {most} such jobs at once. Wait until one is done, or cancel one with POST /jobs/{{id}}/cancel."
        shown = [{"id": str(job.id), "kind": job.kind, "status": job.status} for job in jobs]
        raise Conflict("too_many_jobs", detail, liveJobs=shown)


async def _same(session: TenantSession, kind: JobKind, request: dict[str, Any]) -> Sequence[tuple[int, int | None]]:
    """Id and version of what is under way. Not locked: a batch that runs delays no response."""
    same = (col(Job.kind) == kind) & col(Job.status).in_(LIVE) & (col(Job.merchant_id) == session.merchant_id)
    for name in ("ruleId", "ticketId"):
        same &= col(Job.request)[name].astext.is_not_distinct_from(request.get(name))
    return [(job_id, version) for job_id, version in await session.execute(sa.select(col(Job.id), col(Job.request)["version"]).where(same))]


def _overtake(job: Job, newest: int, at: datetime) -> None:
    """A newer version was published: its own job takes the tickets that this one has not reached."""
    job.status, job.version, job.finished_at, job.updated_at = JobStatus.CANCELLED, job.version + 1, at, at
    job.result = {**job.result, "overtakenBy": newest}


def _configuration(job: Job) -> ConfigurationRef:
    return ConfigurationRef(ConfigurationKind(job.request["rule"]), int(job.request.get("ruleId", PROPOSED)))


async def _end_if_over(session: TenantSession, job: Job, at: datetime) -> None:
    is_live = job.status in LIVE
    if is_live and (await session.execute(tickets_of(session, job.request, job.cursor).limit(1))).first() is None:
        job.status, job.finished_at, job.version = JobStatus.DONE, at, job.version + 1
        session.once_committed(JOBS_DONE.labels(job.kind).inc)
        counts = {"total": job.total, "changed": job.changed, "failed": job.failed}
        say = log.error if job.failed else log.info
        session.once_committed(partial(say, "job.done", merchant_id=job.merchant_id, job_id=job.id, kind=job.kind, **counts))


async def _locked(session: TenantSession, job_id: int) -> Job:
    found = await session.execute(locked(sa.select(Job).where(col(Job.merchant_id) == session.merchant_id, col(Job.id) == job_id)))
    job = found.scalar_one_or_none()
    if job is None:
        raise NotFound("job")
    return job


async def _say(session: TenantSession, job_id: int, status: JobStatus, change: Change) -> Job:
    job = await _locked(session, job_id)
    if job.status not in LIVE:
        raise Conflict("job_is_over", f"The job is {job.status.value}.")
    if job.status is not status:
        job.status, job.version, job.updated_at = status, job.version + 1, change.at
        job.finished_at = None if status in LIVE else change.at
        outbox.post_job(session, facts_of(job), change)
    await session.write()
    return job
