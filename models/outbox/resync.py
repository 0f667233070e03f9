"""After PostgreSQL was restored from a backup: the workflows, which have heard of later versions, follow the database again.

Run while neither the API nor a worker runs. What the database has forgotten may have been told already: no notification that is pending
then is sent by itself. Each is left as ``unknown``, for people to look at and to replay. See
docs/decisions/0020-workflows-follow-a-restored-database.md.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.db.failures import is_away
from models.db.pool import engine_of
from models.db.session import Database, TenantSession
from models.jobs.begin import LIVE, go_on
from models.jobs.tables import Job
from models.notifications.delivery_log import leave_unknown
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from models.platform import logging as logs
from models.platform.database import open_pool
from models.platform.settings import Settings
from models.sla.run_due import run_due
from models.tickets.lifecycle import Status
from models.tickets.repository import lock, save, with_id
from models.tickets.tables import Ticket

PAGE = 500
AT_ONCE = 4
_SINCE = datetime(2024, 1, 1, tzinfo=UTC)
_TICKETS = sa.select(col(Ticket.merchant_id), col(Ticket.id)).where(col(Ticket.status) != Status.CLOSED)
"""Deleted ones, too: one that had been restored after the backup has a workflow again."""
_JOBS = sa.select(col(Job.merchant_id), col(Job.id)).where(col(Job.status).in_(LIVE))
_PENDING = sa.select(col(Notification.merchant_id), col(Notification.id)).where(col(Notification.status) == NotificationStatus.PENDING)
log = structlog.get_logger()
Rows = sa.Select[int, int]
Mend = Callable[[TenantSession, int], Awaitable[object]]


class Resynced(NamedTuple):
    """How many rows were brought up to date; ``failed`` is how many could not be."""

    tickets: int
    jobs: int
    notifications: int
    failed: int


async def resync(database: Database, relay_url: str, at: datetime) -> Resynced:
    """Each ticket that is not closed acts on what is due, its workflow and those of live jobs follow the rows, and nothing is told.

    It may be run again. ``relay_url`` is the role that may look across merchants.
    """
    change, across = Change(by=SYSTEM, at=at), engine_of(relay_url, pool_size=1)
    try:
        tickets = await _each(across, database, _TICKETS, lambda session, id_: _follow(session, id_, change))
        jobs = await _each(across, database, _JOBS, lambda session, id_: go_on(session, id_, change, outranking=outranking(at)))
        pending = await _each(across, database, _PENDING, leave_unknown)
    finally:
        await across.dispose()
    done = Resynced(tickets=sum(tickets), jobs=sum(jobs), notifications=sum(pending), failed=[*tickets, *jobs, *pending].count(False))
    (log.error if done.failed else log.info)("resync.done", **done._asdict())
    return done


def outranking(at: datetime) -> int:
    """A version above all that were counted one by one: the seconds since 2024. So a second restore outranks the first one's, too."""
    return int((at - _SINCE).total_seconds())


async def _follow(session: TenantSession, ticket_id: int, change: Change) -> None:
    ticket = await lock(session, with_id(ticket_id), change)
    await run_due(ticket)
    ticket.row.facts_version = max(ticket.row.facts_version, outranking(change.at))
    ticket.known = None
    await save(ticket)


async def _each(across: AsyncEngine, database: Database, rows: Rows, mend: Mend) -> list[bool]:
    """Whether it worked, for each of the rows of all merchants."""
    done: list[bool] = []
    async for page in _pages(across, rows):
        turn = asyncio.Semaphore(AT_ONCE)
        done += await asyncio.gather(*(_one(turn, database, merchant_id, id_, mend) for merchant_id, id_ in page))
    return done


async def _one(turn: asyncio.Semaphore, database: Database, merchant_id: int, id_: int, mend: Mend) -> bool:
    """One that can't be read holds up no other."""
    try:
        async with turn, database.writing(merchant_id) as session:
            await mend(session, id_)
    except Exception as error:
        if is_away(error):
            raise
        log.exception("resync.failed", merchant_id=merchant_id, id=id_, error=type(error).__name__)
        return False
    return True


async def _pages(across: AsyncEngine, rows: Rows) -> AsyncIterator[Sequence[tuple[int, int]]]:
    """Merchant and id, in their order."""
    key, last = sa.tuple_(*rows.selected_columns), (0, 0)
    while True:
        async with across.connect() as connection:
            found = (await connection.execute(rows.where(key > last).order_by(*rows.selected_columns).limit(PAGE))).all()
        if not found:
            return
        page = [(merchant_id, id_) for merchant_id, id_ in found]
        yield page
        last = page[-1]


async def run(settings: Settings, *, node: int) -> Resynced:
    """What ``RUN_MODE=resync`` does; ``node`` is the ten bits of this service in every id."""
    logs.configure(settings.log_level)
    database = open_pool(settings, node)
    try:
        return await resync(database, str(settings.database_relay_url), datetime.now(UTC))
    finally:
        await database.aclose()
