"""Healing from outside: find what was lost across all merchants, and have it sent again for each."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from temporalio import activity

from models.messages.maintenance import RECONCILE, Healed, ReconciliationAt
from models.operations.change import SYSTEM, Change
from models.operations.changing import pick_up_waiting
from models.operations.job import go_on
from models.operations.reconcile import JOB_OVERDUE, LETTER_OVERDUE, OVERDUE, deliver_again, tell_again
from models.tables.session import Database, engine_of

KEYS_KEPT = timedelta(hours=24)
AT_ONCE = 500
_LOST_TICKETS = sa.text("""
    SELECT merchant_id, id FROM ticket
    WHERE wake_at < :overdue AND (merchant_id, 'ticket-' || id) NOT IN (SELECT merchant_id, workflow_id FROM outbox)
    ORDER BY wake_at LIMIT :at_once
""")
_LOST_LETTERS = sa.text("""
    SELECT merchant_id, id FROM notification
    WHERE status = 'pending' AND created_at < :overdue
      AND (merchant_id, 'delivery-' || id || '-' || round) NOT IN (SELECT merchant_id, workflow_id FROM outbox)
    ORDER BY id LIMIT :at_once
""")
_LOST_JOBS = sa.text("""
    SELECT merchant_id, id FROM job
    WHERE status = 'running' AND updated_at < :overdue AND (merchant_id, 'job-' || id) NOT IN (SELECT merchant_id, workflow_id FROM outbox)
    ORDER BY updated_at LIMIT :at_once
""")
# Whoever comes or gets room picks up what waits; this finds whom an absence that ended by itself brought back.
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
            letters = (await connection.execute(_LOST_LETTERS, {"overdue": request.at - LETTER_OVERDUE, "at_once": AT_ONCE})).all()
            jobs = (await connection.execute(_LOST_JOBS, {"overdue": request.at - JOB_OVERDUE, "at_once": AT_ONCE})).all()
            queues = (await connection.execute(_QUEUES)).all()
            keys = await connection.execute(_OLD_KEYS, {"before": request.at - KEYS_KEPT})
        for merchant_id, ticket_id in tickets:
            await self._tell_again(merchant_id, ticket_id, request.at)
        for merchant_id, notification_id in letters:
            async with self._database.reading(merchant_id) as session:
                await deliver_again(session, notification_id, request.at)
        for merchant_id, job_id in jobs:
            async with self._database.reading(merchant_id) as session:
                await go_on(session, job_id, Change(by=SYSTEM, at=request.at))
        for merchant_id, team_id in queues:
            async with self._database.writing(merchant_id) as session:
                await pick_up_waiting(session, team_id, Change(by=SYSTEM, at=request.at))
        return Healed(tickets=len(tickets), deliveries=len(letters), keys_expired=keys.rowcount, jobs=len(jobs))

    async def aclose(self) -> None:
        await self._across.dispose()

    async def _tell_again(self, merchant_id: int, ticket_id: int, at: datetime) -> None:
        async with self._database.reading(merchant_id) as session:
            await tell_again(session, ticket_id, at)
