"""Healing from outside: find what was lost across all merchants, and have it sent again for each."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import sqlalchemy as sa
import structlog
from temporalio import activity

from models.audit import SYSTEM, Change
from models.db.pool import engine_of
from models.db.session import Database, is_passing
from models.jobs.run import go_on
from models.outbox.messages import RECONCILE, Healed, ReconciliationAt
from models.outbox.reconcile import JOB_OVERDUE, NOTIFICATION_OVERDUE, OVERDUE, deliver_again, send_facts_again
from models.tickets.repository import pick_up_waiting

log = structlog.get_logger()
KEYS_KEPT = timedelta(hours=24)
AT_ONCE = 500
_LOST_TICKETS = sa.text("""
    SELECT merchant_id, id FROM ticket
    WHERE next_deadline_at < :overdue AND (merchant_id, 'ticket-' || id) NOT IN (SELECT merchant_id, key FROM outbox)
    ORDER BY next_deadline_at LIMIT :at_once
""")
_LOST_NOTIFICATIONS = sa.text("""
    SELECT merchant_id, id FROM notification
    WHERE status = 'pending' AND posted_at < :overdue AND (merchant_id, 'notification-' || id) NOT IN (SELECT merchant_id, key FROM outbox)
    ORDER BY id LIMIT :at_once
""")
_LOST_JOBS = sa.text("""
    SELECT merchant_id, id FROM job
    WHERE status = 'running' AND updated_at < :overdue AND (merchant_id, 'job-' || id) NOT IN (SELECT merchant_id, key FROM outbox)
    ORDER BY updated_at LIMIT :at_once
""")
# An agent who comes back or gets room picks up what waits; this finds those whose absence ended by itself.
_QUEUES = sa.text("""
    SELECT DISTINCT merchant_id, team_id FROM ticket
    WHERE is_queued AND team_id IS NOT NULL AND deleted_at IS NULL AND status IN ('new', 'open', 'pending', 'on_hold')
""")
_OLD_KEYS = sa.text("DELETE FROM idempotencykey WHERE created_at < :before")


class MaintenanceActivities:
    """``relay_url`` is the role that may look across merchants."""

    def __init__(self, database: Database, relay_url: str) -> None:
        self._database = database
        self._across = engine_of(relay_url, pool_size=1)

    @activity.defn(name=RECONCILE)
    async def reconcile(self, request: ReconciliationAt) -> Healed:
        async with self._across.begin() as connection:
            tickets = (await connection.execute(_LOST_TICKETS, {"overdue": request.at - OVERDUE, "at_once": AT_ONCE})).all()
            notifications = (
                await connection.execute(_LOST_NOTIFICATIONS, {"overdue": request.at - NOTIFICATION_OVERDUE, "at_once": AT_ONCE})
            ).all()
            jobs = (await connection.execute(_LOST_JOBS, {"overdue": request.at - JOB_OVERDUE, "at_once": AT_ONCE})).all()
            queues = (await connection.execute(_QUEUES)).all()
            keys = await connection.execute(_OLD_KEYS, {"before": request.at - KEYS_KEPT})
        for merchant_id, ticket_id in tickets:
            await self._heal(merchant_id, send_facts_again, ticket_id, request.at)
        for merchant_id, notification_id in notifications:
            await self._heal(merchant_id, deliver_again, notification_id, request.at)
        change = Change(by=SYSTEM, at=request.at)
        for merchant_id, job_id in jobs:
            await self._heal(merchant_id, go_on, job_id, change)
        for merchant_id, team_id in queues:
            await self._heal(merchant_id, pick_up_waiting, team_id, change)
        return Healed(tickets=len(tickets), deliveries=len(notifications), keys_expired=keys.rowcount, jobs=len(jobs))

    async def _heal(self, merchant_id: int, heal: Callable[..., Awaitable[None]], *what: object) -> None:
        """One thing in a transaction of its own. What can't be healed holds up nothing else; it is found again the next time."""
        try:
            async with self._database.writing(merchant_id) as session:
                await heal(session, *what)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("reconcile.not_healed", merchant_id=merchant_id, error=type(error).__name__)

    async def aclose(self) -> None:
        await self._across.dispose()
