"""``make bench ARGS=--grow``: what grows with the number of open tickets that nobody touches.

The first tickets are opened through the API and have their workflows. From step to step the number is doubled by rows alone: copies of the
busy merchant's ticket, and of its clocks and events, each with its next deadline a month away. What a workflow costs is read off the first.
"""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from tests.bench.bare import timed
from tests.bench.burst import ask_all, until_none
from tests.bench.cast import BASE, BUSY, Cast, assemble, checked
from tests.bench.system import System
from tests.bench.table import p50
from tests.bench.wire import request

_IDLE_SECONDS = 15.0
_ASKED = 30  # requests of each kind
_MEGA = 1e6
_FAR = 10**15  # copies have ids that were never given out: of years ago
_SATELLITES = ("slaclock", "event", "ledgerentry")
_UNTOLD = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM notification WHERE status = 'pending')"
_COLUMNS = """
    SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
    WHERE table_name = $1 AND is_generated = 'NEVER' AND column_name <> ALL ($2::text[])
"""
_TICKETS = """
    INSERT INTO ticket (id, number, status, created_at, updated_at, next_deadline_at, next_due_at, {columns})
    SELECT id - {far} + n, 1000000 + n, 'open', created_at - n * interval '1 minute', updated_at - n * interval '30 seconds',
        now() + interval '30 days' + n * interval '1 second', now() + interval '30 days' + n * interval '1 second', {columns}
    FROM ticket, generate_series($2::int, $3::int) AS n WHERE id = $1::bigint
"""
_OF_TICKETS = """
    INSERT INTO {table} ({key}ticket_id, {columns}) SELECT {copied}ticket_id - {far} + n, {columns}
    FROM {table}, generate_series($2::int, $3::int) AS n WHERE ticket_id = $1::bigint
"""


@dataclass(frozen=True)
class Step:
    """What ``tickets`` open ones take: processor time a second while nothing is asked, memory (PSS) and disk by part, milliseconds."""

    tickets: int
    workflows: int
    idle: Mapping[str, float]
    memory: Mapping[str, float]
    disk: Mapping[str, float]
    latency: Mapping[str, float]


STEPS, LIVING = (5_000, 10_000, 20_000, 40_000, 80_000), 2_500
QUICK_STEPS, QUICK_LIVING = (1_000, 4_000), 300


async def grow(system: System, *, quick: bool) -> None:
    """The table of all steps."""
    steps, living = (QUICK_STEPS, QUICK_LIVING) if quick else (STEPS, LIVING)
    async with asyncpg.create_pool(system.superuser_url(), min_size=1, max_size=1) as pool:
        cast = await assemble(system, pool)
        try:
            print(await measure_growth(system, cast, pool, steps, living=living))
        finally:
            await cast.aclose()


async def measure_growth(system: System, cast: Cast, pool: asyncpg.Pool, steps: tuple[int, ...], *, living: int) -> str:
    """A line for each of the ``steps``, and bytes a ticket. ``living`` tickets have a workflow, fewer than the first step has."""
    empty = await _look(system, cast, pool, workflows=0)
    await ask_all(cast, [cast.create(n) for n in range(living)])
    await until_none(pool, _UNTOLD)
    print(f"... {living:,} tickets with their workflows", file=sys.stderr, flush=True)
    found = [empty, await _look(system, cast, pool, workflows=living)]
    for wanted in steps:
        await _copy_until(pool, wanted)
        found.append(await _look(system, cast, pool, workflows=living))
        print(_table(found)[-1], file=sys.stderr, flush=True)
    return "\n".join([*_table(found), "", *_each(found)])


async def _look(system: System, cast: Cast, pool: asyncpg.Pool, *, workflows: int) -> Step:
    await pool.execute("VACUUM ANALYZE ticket")
    await pool.execute("CHECKPOINT")
    tickets = await pool.fetchval("SELECT count(*) FROM ticket")
    await asyncio.sleep(5)  # what the vacuum woke is over
    idle = await _idle(system)
    latency = await _latency(cast) if tickets else {}
    await until_none(pool, _UNTOLD)
    disk = {
        "database": await pool.fetchval("SELECT pg_database_size(current_database())") / _MEGA,
        "temporal": sum(file.stat().st_size for file in (system.var / "temporal").iterdir()) / _MEGA,
    }
    return Step(tickets, workflows, idle, system.pss(), disk, latency)


async def _idle(system: System) -> dict[str, float]:
    """Milliseconds of processor time a second, by part, while nobody asks anything."""
    before = system.cpu_seconds()
    await asyncio.sleep(_IDLE_SECONDS)
    after = system.cpu_seconds()
    return {name: (after[name] - before[name]) * 1000 / _IDLE_SECONDS for name in system.processes}


async def _latency(cast: Cast) -> dict[str, float]:
    asked = {
        "list": "/tickets?limit=50",
        "by status": "/tickets?status=open",
        "count": "/tickets/count?status=open",
        "search": "/tickets?q=till+1",
    }
    lists = {name: request("GET", f"{BASE}{path}", cast.agent) for name, path in asked.items()}
    created = await _p50_of(cast, [cast.create(n) for n in range(_ASKED)], 201)
    return {"create": created, **{name: await _p50_of(cast, [one] * _ASKED, 200) for name, one in lists.items()}}


async def _p50_of(cast: Cast, asked: list[bytes], expected: int) -> float:
    waiting = iter(asked)

    async def one() -> None:
        checked(await cast.connections[0].ask(next(waiting)), expected)

    return p50((await timed(one, clients=1, each=len(asked))).milliseconds)


async def _copy_until(pool: asyncpg.Pool, wanted: int) -> None:
    """Copies of the merchant's first ticket until there are ``wanted``; ids and numbers go on where the copies before ended."""
    first, known = await pool.fetchrow("SELECT min(id) AS id, max(number) AS number FROM ticket WHERE merchant_id = $1", BUSY.merchant_id)
    start = max(known - 1_000_000, 0) + 1
    until = start + wanted - await pool.fetchval("SELECT count(*) FROM ticket") - 1
    renewed = ["id", "number", "status", "created_at", "updated_at", "next_deadline_at", "next_due_at"]
    columns = await pool.fetchval(_COLUMNS, "ticket", renewed)
    await pool.execute(_TICKETS.format(columns=columns, far=_FAR), first, start, until, timeout=600)
    for table in _SATELLITES:
        columns = await pool.fetchval(_COLUMNS, table, ["id", "ticket_id"])
        key, copied = ("", "") if table == "slaclock" else ("id, ", f"id - {_FAR} + n * 10000000000, ")
        await pool.execute(
            _OF_TICKETS.format(far=_FAR, table=table, key=key, copied=copied, columns=columns), first, start, until, timeout=600
        )


def _table(found: list[Step]) -> list[str]:
    parts, stored, asked = found[-1].memory, found[-1].disk, found[-1].latency
    head = ["tickets", "workflows", *(f"{name}, idle ms/s" for name in parts), *(f"{name}, MB" for name in parts)]
    head += ["all, MB", *(f"{name} on disk, MB" for name in stored), *(f"{name}, ms" for name in asked)]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for step in found:
        figures = [*step.idle.values(), *step.memory.values(), sum(step.memory.values()), *step.disk.values()]
        figures += [step.latency.get(name, float("nan")) for name in asked]
        lines.append(" | ".join([f"{step.tickets:,}", f"{step.workflows:,}", *(f"{figure:.1f}" for figure in figures)]))
    return [f"| {line} |" for line in lines]


def _each(found: list[Step]) -> list[str]:
    """Bytes a ticket: with a workflow from the first two looks, without one from the last two."""
    empty, living, last = found[0], found[1], found[-1]
    with_workflow = [_kilobytes(empty, living, "database"), _kilobytes(empty, living, "temporal")]
    idle = sum(last.idle.values()) - sum(living.idle.values())
    return [
        "kB a ticket with its workflow: " + ", ".join(with_workflow),
        "kB a ticket of rows alone: " + _kilobytes(living, last, "database"),
        f"processor time of an idle ticket: {idle * 1000 / max(last.tickets - living.tickets, 1):.3f} microseconds a second",
    ]


def _kilobytes(before: Step, after: Step, name: str) -> str:
    """On disk. Memory is no figure of a single ticket: most of it is what a part needs as soon as it works at all."""
    grown = after.disk[name] - before.disk[name]
    return f"{name} on disk {grown * 1000 / max(after.tickets - before.tickets, 1):.1f}"
