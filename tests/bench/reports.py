"""``python -m tests.bench.reports``: the report over 100,000 tickets of one merchant, 2.2 cycles each, over 90 days; by itself in a minute.

Every case goes through the application's role, behind row-level security. ``--explain`` prints the plans with their buffers.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import sqlalchemy as sa

from deploy.local.postgres import SUPERUSER, EmbeddedPostgres
from models.migrations import upgrade
from models.operations.report import Dimension, Question, report_sla
from models.tables.session import Database
from tests.bench.table import Bound, Promise, Row, p50, p99, text_of

REPORT = Promise(name="report over 100,000 tickets p50", bound=Bound.AT_MOST, limit=200, unit="ms")
MERCHANT, TICKETS = 3001, 100_000
_DATABASE = "reports"
_BY_METRIC, _BY_ALL = (Dimension.METRIC,), tuple(Dimension)

# 60 agents in 8 teams. Three in ten cycles are breached; one in ten of those still runs, as do one in twenty of the others.
_FILL = """
    INSERT INTO merchant (id, slug, name, rules_version, survey_after_seconds, auto_close_after_seconds, created_at)
    VALUES ({merchant}, 'many', 'Many', 1, 1, 1, now());
    INSERT INTO reporter (merchant_id, id, name) VALUES ({merchant}, 1, 'Rita');
    INSERT INTO team (merchant_id, id, name) SELECT {merchant}, n, 'Team ' || n FROM generate_series(1, 8) AS n;
    INSERT INTO agent (merchant_id, id, sub, name, email, role, team_id, capacity, availability, skills)
    SELECT {merchant}, n, 'ana' || n, 'Ana', 'ana@many.example', 'agent', 1 + n % 8, 20, 'available', '{{}}' FROM generate_series(1, 60) AS n;

    INSERT INTO ticket (merchant_id, id, number, subject, description, status, priority, organizer_id, channel, tags, custom_fields, reporter_id,
        assignee_id, team_id, is_queued, escalation_level, resolution_cycle, created_at, updated_at, version, facts_version, event_sequence)
    SELECT {merchant}, n, n, 'The till does not open', 'Since this morning.', CASE WHEN n % 20 = 0 THEN 'open' ELSE 'closed' END,
        (ARRAY['low', 'normal', 'high', 'urgent'])[1 + n % 4], 1 + n % 5, 'api', '{{}}', '{{}}', 1,
        agent.id, agent.team_id, false, 0, 0, at, at, 1, 1, 1
    FROM (SELECT n, now() - n * interval '90 days' / {tickets} AS at, 1 + (n * 7919 % 60) AS agent FROM generate_series(1, {tickets}) AS n) AS new
    JOIN agent ON agent.merchant_id = {merchant} AND agent.id = new.agent;

    INSERT INTO slaclock (merchant_id, ticket_id, metric, cycle, target, spent, warned_fraction, started_at, breached_at, stopped_at, decided_at,
        decided_priority, decided_team_id, decided_agent_id, decided_organizer_id, used_seconds)
    SELECT merchant_id, id, metric, 1, interval '14 hours', make_interval(secs => used), 0.75, created_at, breached_at, stopped_at,
        coalesce(breached_at, stopped_at), priority, team_id, assignee_id, organizer_id, CASE WHEN stopped_at IS NOT NULL THEN used END
    FROM ticket
    CROSS JOIN (VALUES ('first_response', 1), ('resolution', 1), ('next_response', 5)) AS promised (metric, every)
    CROSS JOIN LATERAL (SELECT (hashint8(id * 31 + length(metric))::bigint + 2147483648) * 72000 / 4294967296 AS used) AS spent
    CROSS JOIN LATERAL (SELECT hashint8(id * 17 + length(metric)) % 100 AS dice) AS thrown
    CROSS JOIN LATERAL (SELECT
        CASE WHEN used > 50400 THEN created_at + interval '14 hours' END AS breached_at,
        CASE WHEN abs(dice) >= CASE WHEN used > 50400 THEN 10 ELSE 5 END THEN created_at + make_interval(secs => used) END AS stopped_at) AS ended
    WHERE id % every = 0;
    ANALYZE;
"""


@dataclass(frozen=True)
class Case:
    name: str
    days: int
    group_by: tuple[Dimension, ...]

    def question(self) -> Question:
        now = datetime.now(UTC) + timedelta(days=1)
        return Question(since=now - timedelta(days=self.days), until=now, group_by=self.group_by)


CASES = (
    Case("30 days by metric", 30, _BY_METRIC),
    Case("30 days by all four", 30, _BY_ALL),
    Case("366 days by metric", 366, _BY_METRIC),
    Case("366 days by all four", 366, _BY_ALL),
)


async def measure_reports(postgres: EmbeddedPostgres, *, each: int) -> list[Row]:
    """The worst of the cases, as the one row of the benchmark's table. In a database of its own: nobody else meets these tickets."""
    async with _filled(postgres) as database:
        taken = {case.name: await _measure(database, case, each) for case in CASES}
    worst = max(taken, key=lambda name: p50(taken[name]))
    return [Row(REPORT, p50(taken[worst]), also=f"{worst}; " + "; ".join(f"{name} {p50(ms):.0f} ms" for name, ms in taken.items() if name != worst))]


async def _measure(database: Database, case: Case, each: int) -> list[float]:
    """Milliseconds from the begin of the transaction to its figures."""
    taken = []
    for _ in range(each):
        began = time.perf_counter()
        async with database.reading(MERCHANT) as session:
            found = await report_sla(session, case.question())
        taken.append((time.perf_counter() - began) * 1000)
        if not found:
            raise RuntimeError(f"{case.name} found nothing: its time would be worth nothing")
    return taken
