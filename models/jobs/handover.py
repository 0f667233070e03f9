"""An agent's tickets, given to others."""

from models.audit import Change
from models.db.session import TenantSession
from models.jobs.items import next_left
from models.jobs.tables import Job
from models.tickets.assign import is_at_work
from models.tickets.handover import hand_over
from models.tickets.repository import lock, save, with_id


async def hand_over_tickets(session: TenantSession, job: Job, _size: int, change: Change) -> list[int]:
    """One ticket in a transaction. Under its lock it may be another agent's by now, or finished: it is no longer to be handed over."""
    ticket_id = await next_left(session, job)
    if ticket_id is None:
        return []
    ticket = await lock(session, with_id(ticket_id), change)
    if ticket.row.assignee_id == int(job.request["agentId"]) and is_at_work(ticket.row):
        job.changed += await hand_over(ticket, int(job.request["toAgentId"]) if "toAgentId" in job.request else None)
    await save(ticket)
    return [ticket_id]
