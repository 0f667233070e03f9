"""How many SLA cycles were met or breached within a range, and how much time they used, in one statement.

Each half reads an index of its own alone (models/sla/tables.py). The numbers: docs/decisions/0008-reports-from-attributed-cycles.md
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa

from models.db.session import TenantSession
from models.sla.policy import Metric
from models.tickets.lifecycle import Priority
from models.value import Value


class Dimension(StrEnum):
    METRIC = "metric"
    PRIORITY = "priority"
    TEAM = "team"
    AGENT = "agent"


class Question(Value):
    """The range includes ``since`` and excludes ``until``. A filter matches any of its values, an empty filter everything.
    ``allowed_organizer_ids`` restricts what the caller may see: an empty tuple to nothing, None not at all."""

    since: datetime
    until: datetime
    group_by: tuple[Dimension, ...] = (Dimension.METRIC,)
    metric: tuple[Metric, ...] = ()
    priority: tuple[Priority, ...] = ()
    team_id: tuple[int, ...] = ()
    agent_id: tuple[int, ...] = ()
    organizer_id: tuple[int, ...] = ()
    allowed_organizer_ids: tuple[int, ...] | None = None


class Figures(NamedTuple):
    """``by`` holds the group's metric, priority, team_id and agent_id, as far as the question groups by them.

    Median and 90th percentile are of the business seconds that ended cycles used (nearest rank: one of them used exactly as much); None if
    none ended.
    """

    by: dict[str, Any]
    met: int
    breached: int
    median_seconds: int | None
    p90_seconds: int | None

    @property
    def met_ratio(self) -> float | None:
        """The share of cycles that were met."""
        total = self.met + self.breached
        return self.met / total if total else None


async def report_sla(session: TenantSession, question: Question) -> list[Figures]:
    """One row for each group with a cycle that was met, breached or ended."""
    await session.execute(_PLANNED_SO)
    keys = [_NAMES[dimension] for dimension in dict.fromkeys(question.group_by)]
    values = question.model_dump(exclude={"group_by"}) | {"merchant_id": session.merchant_id}
    rows = (await session.execute(sa.text(_statement(keys, _narrowed(question))), values)).mappings()
    return [Figures({key: row[key] for key in keys}, row["met"], row["breached"], row["median"], row["p90"]) for row in rows]


_COLUMNS = {
    "metric": "metric",
    "priority": "attributed_priority",
    "team_id": "attributed_team_id",
    "agent_id": "attributed_agent_id",
    "organizer_id": "attributed_organizer_id",
}
_NAMES = {Dimension.METRIC: "metric", Dimension.PRIORITY: "priority", Dimension.TEAM: "team_id", Dimension.AGENT: "agent_id"}

# A range of any length reads its part of an index and hashes it. A generic plan would sort; compiling the query would take hundreds of
# milliseconds, and parallel workers would take every core.
_PLANNED_SO = sa.text("""
    SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true),
        set_config('work_mem', '64MB', true), set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
""")


def _narrowed(question: Question) -> list[str]:
    texts = [f"{_COLUMNS[name]} = ANY(CAST(:{name} AS text[]))" for name in ("metric", "priority") if getattr(question, name)]
    ids = [
        f"{_COLUMNS[name]} = ANY(CAST(:{name} AS bigint[]))" for name in ("team_id", "agent_id", "organizer_id") if getattr(question, name)
    ]
    fence = "attributed_organizer_id = ANY(CAST(:allowed_organizer_ids AS bigint[]))"
    return [*texts, *ids, *([] if question.allowed_organizer_ids is None else [fence])]


def _statement(keys: Sequence[str], narrowed: Sequence[str]) -> str:
    """Percentiles come from each group's own array: sorting all rows by group and seconds at once takes six times as long."""
    grouped = "".join(f"{key}, " for key in keys)
    named = "".join(f"{_COLUMNS[key]} AS {key}, " for key in keys)
    columns = ", ".join(_COLUMNS[key] for key in keys)
    return f"""
        SELECT {grouped}sum(met)::int AS met, sum(breached)::int AS breached, max(used[1]) AS median, max(used[2]) AS p90
        FROM (
            SELECT {grouped}met, 0 AS breached, (
                SELECT percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds) FROM (SELECT unnest(used) AS seconds) AS cycle
            ) AS used
            FROM (
                SELECT {named}count(*) FILTER (WHERE breached_at IS NULL) AS met, array_agg(used_seconds) AS used
                FROM slaclock WHERE {_within("stopped_at", narrowed)} GROUP BY ({columns})
            ) AS ended
            UNION ALL
            SELECT {named}0, count(*), NULL FROM slaclock WHERE {_within("breached_at", narrowed)} GROUP BY ({columns})
        ) AS figures
        GROUP BY ({", ".join(keys)}) ORDER BY {grouped}met
    """  # noqa: S608 - our own names


def _within(instant: str, narrowed: Sequence[str]) -> str:
    return " AND ".join(["merchant_id = :merchant_id", f"{instant} >= :since", f"{instant} < :until", *narrowed])
