"""A check of every deadline: of one merchant's tickets, or of all merchants'."""

from sqlmodel import col

from models.audit import SYSTEM, Change
from models.db.session import TenantSession
from models.errors import Conflict
from models.jobs.begin import begin_job
from models.jobs.items import next_left
from models.jobs.result import NAMED, name_ids
from models.jobs.tables import Job, JobKind
from models.sla.run_due import due_now, run_due
from models.tickets.filter import tickets_of
from models.tickets.repository import lock, save, with_id
from models.tickets.tables import Ticket


async def check(session: TenantSession, job: Job, size: int, change: Change) -> list[int]:
    """What is overdue is acted on now, one ticket in a transaction: who acts may need a team's row, and locks no ticket after it."""
    tickets = tickets_of(session, job.request, job.cursor).limit(size)
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
        name_ids(job, "overdueTicketIds", [ticket_id])
    await save(ticket)


async def check_merchants(session: TenantSession, job: Job, _size: int, change: Change) -> list[int]:
    """Begin a check in the next merchant, in a transaction of its own: of two merchants' locks none is held while another is waited for.

    One where a check is under way already, or that has too many, counts as looked at and is not named.
    """
    merchant_id = await next_left(session, job)
    if merchant_id is None:
        return []
    async with session.acting_for(merchant_id):
        check_id = await _begin_check(session, change)
    if check_id is not None:
        job.changed += 1
        begun = [*job.result.get("checks", []), {"merchantId": str(merchant_id), "jobId": str(check_id)}]
        job.result = job.result | {"checks": begun[:NAMED]}
    return [merchant_id]


async def _begin_check(session: TenantSession, change: Change) -> int | None:
    try:
        return (await begin_job(session, JobKind.SLA_CHECK, {}, change)).id
    except Conflict:
        return None
