"""A newer version of SLA configuration over open tickets: applied to them, or only tried."""

import asyncio

from models.audit import Change
from models.db.session import TenantSession
from models.jobs.begin import overtake
from models.jobs.result import count, tally
from models.jobs.tables import Job
from models.sla.definitions import VALUES
from models.sla.recalculate import ConfigurationRef, forecast_change, retime
from models.sla.rulebook import PROPOSED, Rulebook, rulebook, traits_of
from models.sla.tables import ConfigurationKind
from models.tickets.aggregate import TicketAggregate
from models.tickets.filter import tickets_of
from models.tickets.repository import load, lock_all, save


async def recalculate(session: TenantSession, job: Job, size: int, change: Change) -> list[int]:
    book, configuration = await rulebook(session), _configuration(job)
    if book.current(configuration.id) != job.request["version"]:
        overtake(job, book.current(configuration.id), change.at)
        return []
    locked_tickets = await lock_all(session, tickets_of(session, job.request, job.cursor).limit(size), change)
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


async def preview(session: TenantSession, job: Job, size: int, change: Change) -> list[int]:
    """The dry run: nothing is locked, and nothing but the job is written."""
    configuration, book, definition = _configuration(job), await rulebook(session), job.request.get("definition")
    if definition:
        book = book.proposing(configuration.id, await asyncio.to_thread(VALUES[configuration.kind].model_validate, definition))
    found = (await session.execute(tickets_of(session, job.request, job.cursor).limit(size))).scalars().all()
    for ticket in await load(session, found, change):
        if shift := await forecast_change(ticket, book, configuration):
            count(job, ticket, shift)
    if configuration.kind is ConfigurationKind.POLICY:
        tally(job, [book.standing(traits_of(row), configuration.id) for row in found])
    return [row.id for row in found]


def _configuration(job: Job) -> ConfigurationRef:
    return ConfigurationRef(ConfigurationKind(job.request["rule"]), int(job.request.get("ruleId", PROPOSED)))
