"""``python -m tests.bench.reports``: the report over 100,000 tickets of one merchant, 2.2 cycles each, over 90 days; by itself in a minute.

Every case goes through the application's role, behind row-level security.
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
from typing import NamedTuple

import asyncpg
import psutil
import sqlalchemy as sa

from deploy.app_info import APP_INFO
from deploy.local.postgres import SUPERUSER, EmbeddedPostgres
from models.db.migrate import upgrade
from models.db.session import Database
from models.reports.sla import Dimension, Question, report_sla
from tests.bench.table import Bound, Budget, Row, p50, p99, text_of

REPORT = Budget(name="report over 100,000 tickets p50", bound=Bound.AT_MOST, limit=200, unit="ms")
MERCHANT, TICKETS = 3001, 100_000
_DATABASE = "reports"
_BY_METRIC, _BY_ALL = (Dimension.METRIC,), tuple(Dimension)

# 60 agents in 8 teams. Three in ten cycles are breached; one in ten of those still runs, as do one in twenty of the others.
_FILL = """
    INSERT INTO merchant
        (id, slug, name, rulebook_version, survey_after_seconds, auto_close_after_seconds, reopen_within_seconds, created_at)
    VALUES ({merchant}, 'many', 'Many', 1, 1, 1, 1, now());
    INSERT INTO reporter (merchant_id, id, name) VALUES ({merchant}, 1, 'Rita');
    INSERT INTO team (merchant_id, id, name) SELECT {merchant}, n, 'Team ' || n FROM generate_series(1, 8) AS n;
    INSERT INTO agent (merchant_id, id, sub, name, email, role, team_id, capacity, availability, skills)
    SELECT {merchant}, n, 'ana' || n, 'Ana', 'ana@many.example', 'agent', 1 + n % 8, 20, 'available', '{{}}'
    FROM generate_series(1, 60) AS n;

    INSERT INTO ticket (merchant_id, id, number, subject, description, status, priority, organizer_id, channel, tags, custom_fields,
        reporter_id, assignee_id, team_id, is_queued, escalation_level, resolution_cycle, created_at, updated_at, version, facts_version,
        event_sequence)
    SELECT {merchant}, n, n, 'The till does not open', 'Since this morning.', CASE WHEN n % 20 = 0 THEN 'open' ELSE 'closed' END,
        (ARRAY['low', 'normal', 'high', 'urgent'])[1 + n / 60 % 4], 1 + n % 5, 'api', '{{}}', '{{}}',
        1, agent.id, agent.team_id, false, 0, 0, at, at, 1, 1, 1
    FROM generate_series(1, {tickets}) AS n
    CROSS JOIN LATERAL (SELECT now() - n * interval '90 days' / {tickets} AS at) AS opened
    JOIN agent ON agent.merchant_id = {merchant} AND agent.id = 1 + n % 60;

    INSERT INTO slaclock (merchant_id, ticket_id, metric, cycle, target, spent, warned_fraction, is_withdrawn, started_at, breached_at,
        stopped_at, attributed_at, attributed_priority, attributed_team_id, attributed_agent_id, attributed_organizer_id, used_seconds)
    SELECT merchant_id, id, metric, 1, interval '14 hours', make_interval(secs => used), 0.75, false, created_at, breached_at,
        stopped_at,
        coalesce(breached_at, stopped_at), priority, team_id, assignee_id, organizer_id, CASE WHEN stopped_at IS NOT NULL THEN used END
    FROM ticket
    CROSS JOIN (VALUES ('first_response', 1), ('resolution', 1), ('next_response', 5)) AS targets (metric, every)
    CROSS JOIN LATERAL (SELECT (hashint8(id * 31 + length(metric))::bigint + 2147483648) * 72000 / 4294967296 AS used) AS spent
    CROSS JOIN LATERAL (SELECT used > 50400 AS is_late, abs(hashint8(id * 17 + length(metric))::bigint) % 100 AS dice) AS thrown
    CROSS JOIN LATERAL (SELECT CASE WHEN is_late THEN created_at + interval '14 hours' END AS breached_at,
        CASE WHEN dice >= CASE WHEN is_late THEN 10 ELSE 5 END THEN created_at + make_interval(secs => used) END AS stopped_at) AS ended
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
    Case("20 years by all four", 20 * 365, _BY_ALL),
)


async def measure_reports(postgres: EmbeddedPostgres, *, each: int) -> list[Row]:
    """The worst of the cases, as the one row of the benchmark's table. In a database of its own: no other part meets these tickets."""
    async with _filled(postgres) as database:
        taken = {case.name: (await _measure(database, case, each)).milliseconds for case in CASES}
    worst, *others = sorted(taken, key=lambda name: -p50(taken[name]))
    return [Row(REPORT, p50(taken[worst]), also="; ".join([worst, *(f"{name} {p50(taken[name]):.0f} ms" for name in others)]))]


class Measured(NamedTuple):
    """``processor_ms`` is what one report costs the database's process on the average: the same on a busy machine."""

    milliseconds: list[float]
    processor_ms: float


async def _measure(database: Database, case: Case, each: int) -> Measured:
    """From the begin of the transaction to its figures."""
    backend, taken = psutil.Process(await _backend(database)), []
    before = backend.cpu_times()
    for _ in range(each):
        began = time.perf_counter()
        async with database.reading(MERCHANT) as session:
            found = await report_sla(session, case.question())
        taken.append((time.perf_counter() - began) * 1000)
        if not found:
            raise RuntimeError(f"{case.name} found nothing: its time would be worth nothing")
    after = backend.cpu_times()
    return Measured(taken, (after.user + after.system - before.user - before.system) * 1000 / each)


async def _backend(database: Database) -> int:
    """The process of the pool's only connection."""
    async with database.reading(MERCHANT) as session:
        return int((await session.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one())


@asynccontextmanager
async def _filled(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A migrated database with the tickets, as the application's role sees it."""
    postgres.psql(f"CREATE DATABASE {_DATABASE} OWNER helpdesk_owner")
    await asyncio.to_thread(upgrade, postgres.url("helpdesk_owner", _DATABASE))
    await _execute(postgres, _FILL.format(merchant=MERCHANT, tickets=TICKETS))
    await _execute(postgres, "VACUUM ANALYZE slaclock")
    database = Database(postgres.url("helpdesk_app", _DATABASE), pool_size=1, node=APP_INFO.node)
    try:
        yield database
    finally:
        await database.aclose()
        postgres.psql(f"DROP DATABASE {_DATABASE} WITH (FORCE)")


async def _execute(postgres: EmbeddedPostgres, script: str) -> None:
    connection = await asyncpg.connect(postgres.url(SUPERUSER, _DATABASE))
    try:
        await connection.execute(script)
    finally:
        await connection.close()


async def _alone(postgres: EmbeddedPostgres, each: int) -> None:
    """Every case, after a vacuum, after a tenth of the cycles has changed since, and with a vacuum as long ago as can be."""
    async with _filled(postgres) as database:
        await _print(database, "vacuumed", each)
        await _execute(postgres, f"UPDATE slaclock SET warned_fraction = 0.8 WHERE ticket_id < {TICKETS // 10}")  # noqa: S608 - a number
        await _print(database, "a tenth changed since", each)
        await _execute(postgres, "UPDATE slaclock SET warned_fraction = 0.9")
        await _print(database, "all changed since", each)


async def _print(database: Database, state: str, each: int) -> None:
    rows = []
    for case in CASES:
        taken, processor_ms = await _measure(database, case, each)
        also = f"p99 {p99(taken):.0f} ms, fastest {min(taken):.0f} ms; processor {processor_ms:.0f} ms"
        rows.append(Row(REPORT.model_copy(update={"name": f"{state}: {case.name} p50"}), p50(taken), also=also))
    print(text_of([], rows, []), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reports", description=__doc__)
    parser.add_argument("--each", type=int, default=30, help="how often each case is asked")
    with tempfile.TemporaryDirectory(prefix="helpdesk-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        postgres.start()
        try:
            asyncio.run(_alone(postgres, parser.parse_args().each))
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
