"""Work over many tickets: begun by a request, done by the worker, watched, held up and gone on with by a person."""

from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlmodel import col

from api.auth.caller import ADMINS, LEADING, Caller, StaffCaller
from api.http.pagination import Order, Page, Paged
from api.http.path import JobId
from api.http.transaction import InUnit, Work, respond
from api.job_views import JobView
from api.tickets.requests import CheckSla
from api.tickets.visibility import find
from models.audit import Change
from models.db.session import TenantSession
from models.errors import NotFound
from models.jobs.run import begin_job, cancel, pause, resume
from models.jobs.tables import Job, JobKind

router = APIRouter(tags=["jobs"])
_SHOWN = ("rule", "ruleId", "version", "ticketId", "filter")
Word = Callable[[TenantSession, int, Change], Awaitable[Job]]


@router.post("/sla/checks", status_code=202, response_model=JobView)
async def check_sla(unit: InUnit, _staff: StaffCaller, body: CheckSla | None = None) -> Response:
    """Act on every promise that is overdue now: of one ticket, or of all open ones."""
    unit.caller.require(LEADING)
    ticket_id = body.ticket_id if body else None
    if ticket_id is None:
        unit.caller.require_whole_merchant()

    async def work(work: Work) -> Response:
        if ticket_id is not None:
            await find(work.session, work.caller, ticket_id)
        return await begun(work, JobKind.SLA_CHECK, {} if ticket_id is None else {"ticketId": str(ticket_id)})

    return await unit.write(work)


@router.get("/jobs", response_model=Page[JobView])
async def list_jobs(unit: InUnit, _staff: StaffCaller, pager: Paged) -> Response:
    """Newest first."""
    unit.caller.require(LEADING)
    unit.caller.require_whole_merchant()
    async with unit.reading() as session:
        mine = sa.select(Job).where(col(Job.merchant_id) == session.merchant_id)
        rows, end = await pager.page(session, mine, Order(Job.created_at, Job.id, is_descending=True))
    return pager.respond([shown(row) for row in rows], end)


@router.get("/jobs/{job_id}", response_model=JobView)
async def get_job(job_id: JobId, unit: InUnit, _staff: StaffCaller) -> Response:
    unit.caller.require(LEADING)
    async with unit.reading() as session:
        return respond(shown(await _visible(session, unit.caller, job_id)))


async def _visible(session: TenantSession, caller: Caller, job_id: int) -> Job:
    """A job about one ticket is for whoever may see the ticket; any other names tickets of every organizer."""
    job = await session.get(Job, (session.merchant_id, job_id))
    if caller.claims.organizer_ids is not None and job is not None and "ticketId" in job.request:
        await find(session, caller, int(job.request["ticketId"]))
    else:
        caller.require_whole_merchant()
    if job is None:
        raise NotFound("job")
    return job


async def begun(work: Work, kind: JobKind, request: dict[str, object]) -> Response:
    job = await begin_job(work.session, kind, request, work.change)
    return respond(shown(job), 202, {"Location": f"/v1/api/helpdesk/jobs/{job.id}"})


def shown(job: Job) -> JobView:
    """Without the definition that a dry run proposes: its author has it."""
    return JobView.model_validate(job).model_copy(update={"request": {name: v for name, v in job.request.items() if name in _SHOWN}})


def _add(verb: str, word: Word) -> None:
    async def tell_job(job_id: JobId, unit: InUnit, _staff: StaffCaller) -> Response:
        unit.caller.require(LEADING)

        async def work(work: Work) -> Response:
            if (await _visible(work.session, work.caller, job_id)).kind is not JobKind.SLA_CHECK:
                unit.caller.require(ADMINS)  # who may begin it may end it
            return respond(shown(await word(work.session, job_id, work.change)))

        return await unit.write(work)

    router.post(f"/jobs/{{job_id}}/{verb}", name=f"{verb}_job", response_model=JobView, summary=f"A job: {verb}")(tell_job)


for each, said in {"pause": pause, "resume": resume, "cancel": cancel}.items():
    _add(each, said)
