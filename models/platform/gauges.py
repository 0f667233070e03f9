"""Gauges of what is in the database, over all merchants: one statement at a scrape, by the relay's role, which reads no texts.

Each part is bounded: where rows could be millions, so many are counted, and more are not told from these.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge

from models.db.pool import Limits, engine_of
from models.jobs.tables import JobKind
from models.outbox.tables import Topic
from models.platform import metrics
from models.sla.clock import SlaStatus
from models.tickets.tables import AT_WORK

SECONDS: Final = 2.0
"""For all of it: a database that takes longer has no time for this."""
_SLA = (SlaStatus.NONE, SlaStatus.PENDING, SlaStatus.RUNNING, SlaStatus.PAUSED, SlaStatus.IMMINENT, SlaStatus.BREACHED, SlaStatus.ACHIEVED)
# By now() and not clock_timestamp(): an index is searched only for what stands still during the statement.
_STATEMENT = """
    WITH waiting AS (
        SELECT topic, count(*) AS rows, extract(epoch FROM now() - min(written_at)) AS age
        FROM (SELECT topic, written_at FROM outbox LIMIT 100000) AS counted GROUP BY topic
    ), overdue AS (
        SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(next_deadline_at)), 0) AS age
        FROM (SELECT next_deadline_at FROM ticket WHERE next_deadline_at < now() AND deleted_at IS NULL
              ORDER BY next_deadline_at LIMIT 10000) AS counted
    ), at_work AS (
        SELECT coalesce(sla_status, 'none') AS sla_status, count(*) AS rows, count(*) FILTER (WHERE is_queued) AS queued
        FROM (SELECT sla_status, is_queued FROM ticket WHERE {at_work} LIMIT 100000) AS counted GROUP BY 1
    )
    SELECT 'outbox_rows', topic, rows FROM waiting
    UNION ALL SELECT 'outbox_age', topic, age FROM waiting
    UNION ALL SELECT 'overdue', NULL, rows FROM overdue
    UNION ALL SELECT 'overdue_age', NULL, age FROM overdue
    UNION ALL SELECT 'tickets', sla_status, rows FROM at_work
    UNION ALL SELECT 'queued', NULL, sum(queued) FROM at_work
    UNION ALL SELECT 'notifications', 'pending', count(*) FROM (SELECT FROM notification WHERE status = 'pending' LIMIT 10000) AS counted
    UNION ALL SELECT 'notifications', 'dead', count(*) FROM (SELECT FROM notification WHERE status = 'dead' LIMIT 10000) AS counted
    UNION ALL SELECT 'jobs', kind, count(*) FROM (SELECT kind FROM job WHERE status = 'running' LIMIT 10000) AS counted GROUP BY kind
    UNION ALL SELECT 'stuck', NULL, count(*) FROM (SELECT FROM healing WHERE attempts > 0 LIMIT 10000) AS counted
"""
_ASKED = sa.text(_STATEMENT.format(at_work=AT_WORK))
# Of each: its gauge, and the values of its label. What the statement has no row for is 0.
_GAUGES: Final[Mapping[str, tuple[Gauge, tuple[str, ...]]]] = {
    "outbox_rows": (metrics.OUTBOX_ROWS, tuple(Topic)),
    "outbox_age": (metrics.OUTBOX_AGE, tuple(Topic)),
    "overdue": (metrics.DEADLINES_OVERDUE, ()),
    "overdue_age": (metrics.DEADLINE_OVERDUE_SECONDS, ()),
    "tickets": (metrics.TICKETS, _SLA),
    "queued": (metrics.QUEUED, ()),
    "notifications": (metrics.NOTIFICATIONS_OPEN, ("pending", "dead")),
    "jobs": (metrics.JOBS_RUNNING, tuple(JobKind)),
    "stuck": (metrics.STUCK, ()),
}
log = structlog.get_logger()


class Gauges:
    """``url`` is the relay role's, which may look across merchants."""

    def __init__(self, url: str) -> None:
        self._database = engine_of(url, pool_size=1, limits=Limits(statement=SECONDS))

    async def look(self) -> None:
        """Set the gauges; what can't be looked up is NaN, and not what it once was."""
        try:
            async with asyncio.timeout(SECONDS), self._database.connect() as connection:
                found = {(name, value): float(count or 0) for name, value, count in await connection.execute(_ASKED)}
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("gauges.not_read", error=type(error).__name__)
            _set({}, otherwise=math.nan)
            metrics.GAUGES_UP.set(0)
        else:
            _set(found, otherwise=0)
            metrics.GAUGES_UP.set(1)

    async def aclose(self) -> None:
        await self._database.dispose()


def _set(found: Mapping[tuple[str, str | None], float], *, otherwise: float) -> None:
    for name, (gauge, values) in _GAUGES.items():
        if not values:
            gauge.set(found.get((name, None), otherwise))
        for value in values:
            gauge.labels(value).set(found.get((name, value), otherwise))
