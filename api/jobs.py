"""Work over many tickets or notifications: begun by a request, done by the worker, watched, paused and resumed by a person."""

from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import model_validator
from sqlmodel import col

from api.auth.caller import allow
from api.http.pagination import Order, Page, Paged
from api.http.path import JobId
from api.http.responses import Id, ResponseBody, location, respond
from api.http.transaction import CurrentTransaction, Session, Transaction, TransactionRoute
from api.tickets.requests import Id as WantedId
from models.errors import NotFound
from models.jobs.begin import TOLD, begin_job, cancel, pause, resume
from models.jobs.tables import URGENT, Job, JobKind, JobStatus
from models.people.permissions import Permission, Scope
from models.tickets.visibility import find
from models.value import Value

router = APIRouter(tags=["jobs"], route_class=TransactionRoute)


_BEGUN_BY = dict.fromkeys(URGENT, Permission.STEER_CHECK) | {JobKind.HANDOVER: Permission.HAND_OVER}


class CheckSla(Value):
    """One ticket, all open ones of the merchant, or those of all merchants: then a job of no merchant begins a check in each."""

    ticket_id: WantedId | None = None
    all_merchants: bool = False

    @model_validator(mode="after")
    def _is_for_one_of_them(self) -> Self:
        if self.all_merchants and self.ticket_id is not None:
            raise ValueError("give ticketId or allMerchants")
        return self


class JobResponse(ResponseBody):
    """``request`` says what was wanted. ``total``, ``done`` and ``failed`` count tickets; of a replay notifications; of a check for all
    merchants these. ``changed`` counts those that were pinned to another version, acted on by a check, handed over, replayed, or given a
    check of their own; ``breached`` tickets with a metric that is overdue by it. ``result`` names up to 200 of each."""

    id: Id
    kind: JobKind
    status: JobStatus
    request: dict[str, Any]
    total: int
    done: int
    changed: int
    breached: int
    failed: int
    result: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@router.post("/sla/checks", status_code=202, response_model=JobResponse, dependencies=[allow(Permission.CHECK_SLA)])
async def check_sla(transaction: CurrentTransaction, body: CheckSla | None = None) -> Response:
    """Act on every target that is overdue now: of one ticket, of all open ones, or of those of all merchants.

    For all merchants it takes an operator's token that is good for all of them, without X-Merchant-Id; so is its job read and steered.
    """
    caller, ticket_id = transaction.caller, body.ticket_id if body else None
    if body and body.all_merchants:
        caller.require(Permission.CHECK_ALL_MERCHANTS)
        caller.require_all_merchants()
        return await begun(transaction, JobKind.ALL_SLA_CHECKS, {})
    caller.require_merchant()
    if ticket_id is not None:
        await find(transaction.session, caller.viewer, ticket_id)
        return await begun(transaction, JobKind.SLA_CHECK, {"ticketId": str(ticket_id)})
    if caller.may(Permission.CHECK_SLA) is Scope.OWN:
        raise caller.limited()
    return await begun(transaction, JobKind.SLA_CHECK, {})


@router.get("/jobs", response_model=Page[JobResponse], dependencies=[allow(Permission.LIST_JOBS)])
async def list_jobs(session: Session, pager: Paged) -> Response:
    """Newest first."""
    jobs = sa.select(Job).where(col(Job.merchant_id) == session.merchant_id)
    rows, end = await pager.page(session, jobs, Order(Job.created_at, Job.id, is_descending=True))
    return pager.respond([_shown(row) for row in rows], end)


@router.get("/jobs/{job_id}", response_model=JobResponse, dependencies=[allow(Permission.READ_JOB)])
async def get_job(job_id: JobId, transaction: CurrentTransaction) -> Response:
    """One job, with its progress."""
    return respond(_shown(await _visible(transaction, Permission.READ_JOB, job_id)))


@router.post("/jobs/{job_id}/pause", response_model=JobResponse, dependencies=[allow(Permission.STEER_CHECK)])
async def pause_job(job_id: JobId, transaction: CurrentTransaction) -> Response:
    """The worker stops after the batch that it is at."""
    await _require_steerable(transaction, job_id)
    return respond(_shown(await pause(transaction.session, job_id, await transaction.change())))


@router.post("/jobs/{job_id}/resume", response_model=JobResponse, dependencies=[allow(Permission.STEER_CHECK)])
async def resume_job(job_id: JobId, transaction: CurrentTransaction) -> Response:
    """A paused job goes on where it was."""
    await _require_steerable(transaction, job_id)
    return respond(_shown(await resume(transaction.session, job_id, await transaction.change())))


@router.post("/jobs/{job_id}/cancel", response_model=JobResponse, dependencies=[allow(Permission.STEER_CHECK)])
async def cancel_job(job_id: JobId, transaction: CurrentTransaction) -> Response:
    """What was done stays done; the rest is not."""
    await _require_steerable(transaction, job_id)
    return respond(_shown(await cancel(transaction.session, job_id, await transaction.change())))


async def begun(transaction: Transaction, kind: JobKind, request: dict[str, object]) -> Response:
    """Begin a job; the response says where to watch it."""
    return respond_begun(await begin_job(transaction.session, kind, request, await transaction.change()))


def respond_begun(job: Job) -> Response:
    return respond(_shown(job), 202, location(f"/jobs/{job.id}"))


async def _require_steerable(transaction: Transaction, job_id: int) -> None:
    """To steer a job takes the permission that it took to begin it."""
    job = await _visible(transaction, Permission.STEER_CHECK, job_id)
    transaction.caller.require(_BEGUN_BY.get(job.kind, Permission.STEER_JOB))


async def _visible(transaction: Transaction, permission: Permission, job_id: int) -> Job:
    """A job about one ticket is for everybody who may see the ticket; any other names tickets of every organizer."""
    session, caller = transaction.session, transaction.caller
    job = await session.get(Job, (session.merchant_id, job_id))
    if caller.may(permission) is Scope.OWN:
        if job is None or "ticketId" not in job.request:
            raise caller.limited()
        await find(session, caller.viewer, int(job.request["ticketId"]))
    if job is None:
        raise NotFound("job")
    return job


def _shown(job: Job) -> JobResponse:
    """Without the definition that a dry run proposes: its author has it."""
    request = {name: value for name, value in job.request.items() if name in TOLD}
    return JobResponse.model_validate(job).model_copy(update={"request": request})
