"""Healing from outside: find what was lost across all merchants, and have it sent again for each."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlmodel import col
from temporalio import activity

from models.audit import SYSTEM, Change
from models.db.failures import is_away, is_passing
from models.db.pool import engine_of
from models.db.session import Database, TenantSession
from models.jobs.begin import go_on
from models.outbox.lost import LOST_JOBS, LOST_NOTIFICATIONS, LOST_TICKETS, Loss, Lost, claim_lost, hand_back, stuck
from models.outbox.messages import RECONCILE, Healed, ReconciliationAt
from models.outbox.reconcile import deliver_again, send_facts_again
from models.platform.metrics import HEALED
from models.tickets.assign import working
from models.tickets.repository import pick_up_waiting
from models.tickets.tables import Ticket

log = structlog.get_logger()
KEYS_KEPT = timedelta(hours=24)
KEYS_AT_ONCE = 1000
TICKETS_UNTIL, NOTIFICATIONS_UNTIL, JOBS_UNTIL, QUEUES_UNTIL, KEYS_UNTIL = 2.0, 2.5, 3.0, 4.0, 4.5
"""Seconds from the start: a run ends within the five of a local activity. What is left over has its turn in the next run."""
# An agent who comes back or gets room picks up what waits; this finds those whose absence ended by itself, or whose shift began. In any
# order, so that each of many has its turn in one of the runs.
_WAITING = sa.select(col(Ticket.merchant_id), col(Ticket.team_id)).where(col(Ticket.is_queued), col(Ticket.team_id).is_not(None), working())
_QUEUES = sa.select(_WAITING.distinct().subquery("waiting")).order_by(sa.func.random())
_OLD_KEYS = sa.text("""
    DELETE FROM idempotencykey USING (
        SELECT merchant_id, scope FROM idempotencykey WHERE created_at < :before ORDER BY created_at LIMIT :at_once
    ) AS old
    WHERE idempotencykey.merchant_id = old.merchant_id AND idempotencykey.scope = old.scope AND created_at < :before
""")
Heal = Callable[[TenantSession, int], Awaitable[None]]


class MaintenanceActivities:
    """``relay_url`` is the role that may look across merchants."""

    def __init__(self, database: Database, relay_url: str) -> None:
        self._database = database
        self._across = engine_of(relay_url, pool_size=1)

    @activity.defn(name=RECONCILE)
    async def reconcile(self, request: ReconciliationAt) -> Healed:
        at, change = request.at, Change(by=SYSTEM, at=request.at)
        async with self._across.begin() as connection:
            count, seconds = await stuck(connection, at)
        run = _Run(self._database, at)
        healed = Healed(
            tickets=await self._heal(run, _Kind(LOST_TICKETS, TICKETS_UNTIL, lambda session, id_: send_facts_again(session, id_, at))),
            deliveries=await self._heal(
                run, _Kind(LOST_NOTIFICATIONS, NOTIFICATIONS_UNTIL, lambda session, id_: deliver_again(session, id_, at))
            ),
            jobs=await self._heal(run, _Kind(LOST_JOBS, JOBS_UNTIL, lambda session, id_: go_on(session, id_, change))),
            keys_expired=await self._look_after(run, change),
            stuck=count,
            stuck_seconds=seconds,
        )
        _report(healed)
        return healed

    async def _heal(self, run: "_Run", kind: "_Kind") -> int:
        """Send again what was lost, some at a time; return how many were tried."""
        tried = 0
        while run.has_time(kind.until) and (claimed := await self._claim(run, kind.loss)):
            tried += await self._try_each(run, kind, claimed)
        return tried

    async def _try_each(self, run: "_Run", kind: "_Kind", claimed: Sequence[Lost]) -> int:
        """Return how many were tried. The claim costs the others nothing: no time was left, their merchant is busy, the database away."""
        untried = set(claimed)
        try:
            for merchant_id, id_ in claimed:
                if merchant_id in run.busy or not run.has_time(kind.until):
                    continue
                if await run.try_one(merchant_id, id_, kind.heal):
                    HEALED.labels(kind.loss.topic).inc()
                    log.warning("reconcile.sent_again", merchant_id=merchant_id, **{f"{kind.loss.table}_id": id_})
                untried.remove((merchant_id, id_))
        finally:
            if untried:
                async with self._across.begin() as connection:
                    await hand_back(connection, kind.loss, run.at, untried)
        return len(claimed) - len(untried)

    async def _claim(self, run: "_Run", loss: Loss) -> Sequence[Lost]:
        async with self._across.begin() as connection:
            return await claim_lost(connection, loss, run.at, run.busy)

    async def _look_after(self, run: "_Run", change: Change) -> int:
        """What waits in a queue for an agent; and then the stored responses that are too old to be given: return how many there were."""
        async with self._across.connect() as connection:
            queues = (await connection.execute(_QUEUES)).all()
        for merchant_id, team_id in queues:
            if run.has_time(QUEUES_UNTIL):
                await run.try_one(merchant_id, team_id, lambda session, id_: pick_up_waiting(session, id_, change))
        expired = batch = await self._delete_old_keys(change.at)
        while batch == KEYS_AT_ONCE and run.has_time(KEYS_UNTIL):
            expired += (batch := await self._delete_old_keys(change.at))
        return expired

    async def _delete_old_keys(self, at: datetime) -> int:
        async with self._across.begin() as connection:
            return (await connection.execute(_OLD_KEYS, {"before": at - KEYS_KEPT, "at_once": KEYS_AT_ONCE})).rowcount

    async def aclose(self) -> None:
        await self._across.dispose()


class _Kind(NamedTuple):
    """What is looked for, how many seconds after the start a run goes on to the next kind, and what mends one of it."""

    loss: Loss
    until: float
    heal: Heal


class _Run:
    """One reconciliation: how long it has been going on, and which merchants it leaves alone from here on."""

    def __init__(self, database: Database, at: datetime) -> None:
        self._database = database
        self.at = at
        self._started = time.monotonic()
        self.busy: set[int] = set()

    def has_time(self, until: float) -> bool:
        return time.monotonic() - self._started < until

    async def try_one(self, merchant_id: int, id_: int, heal: Heal) -> bool:
        """One thing in a transaction of its own. What can't be healed holds up nothing else; it is found again later.

        Whose rows are locked, or whose connections are all in use, is waited for once in a run.
        """
        if merchant_id in self.busy:
            return False
        try:
            async with self._database.writing(merchant_id) as session:
                await heal(session, id_)
        except Exception as error:
            if is_away(error):
                raise
            if is_passing(error):
                self.busy.add(merchant_id)
            log.exception("reconcile.not_healed", merchant_id=merchant_id, id=id_, error=type(error).__name__)
            return False
        return True


def _report(healed: Healed) -> None:
    said = healed.model_dump()
    if healed.tickets or healed.deliveries or healed.jobs or healed.stuck:
        log.warning("reconcile.healed", **said)
    else:
        log.info("reconcile.nothing_lost", **said)
