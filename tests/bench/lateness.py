"""From a deadline to the committed escalation, at several rates, beside bare timers in the same bunches."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

import asyncpg

from tests.bench.bare import INSTANTS, Bare
from tests.bench.burst import until_none, until_quiet
from tests.bench.cast import BUSY, Cast
from tests.bench.requests import Opened, open_one
from tests.bench.table import Bound, Budget, Row, p50, p99

_DEADLINES, _RUNGS = len(INSTANTS), 3
_MANY = 50
"""Deadlines a second, at which the bound is another one."""
_PATIENCE = 60  # seconds: a rate that this machine can't keep up is told, not waited for
_LATE = """
    SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - due_at)::float8 * 1000
    FROM escalation WHERE merchant_id = $1 AND cause = 'deadline' AND outcome <> 'superseded' AND ticket_id = ANY($2)
"""


async def measure_lateness(cast: Cast, pool: asyncpg.Pool, bare: Bare, tickets: Mapping[int, int]) -> list[Row]:
    """``tickets`` says how many are opened for so many deadlines a second."""
    rows: list[Row] = []
    for rate, number in tickets.items():
        rows += await _at(rate, cast, pool, bare.late[rate], number)
        await until_quiet(pool)
    return rows


async def _at(rate: int, cast: Cast, pool: asyncpg.Pool, bare: tuple[float, ...], number: int) -> list[Row]:
    """Tickets that nobody answers, so many a second that ``rate`` deadlines a second come due."""
    opened: list[Opened] = []
    began = time.time()
    for place in range(number):
        await asyncio.sleep(max(began + place * _DEADLINES / rate - time.time(), 0))
        opened.append(await open_one(cast, place, "demo-fast"))
    reached = number * _DEADLINES / max(time.time() - began, number * _DEADLINES / rate)
    ids = [int(ticket.id) for ticket in opened]
    await _until_taken(pool, ids)
    late = [row[0] for row in await pool.fetch(_LATE, BUSY.merchant_id, ids)]
    also = f"p50 {p50(late):.0f} ms; {len(late)} of {_RUNGS * number} rungs, at {reached:.0f}/s"
    return [
        Row(_budget(f"deadline to committed escalation, {rate}/s, p99", 1000, "ms"), p99(late), also=also),
        Row(
            _budget("... in times of the bare timer's p99", 3 if rate >= _MANY else 1.5, "x"),
            p99(late) / p99(bare),
            also=f"p50 {p50(late) / p50(bare):.2f} x",
        ),
    ]


async def _until_taken(pool: asyncpg.Pool, ids: list[int]) -> None:
    listed = ", ".join(map(str, ids))
    question = f"SELECT {_RUNGS * len(ids)} - count(*) FROM escalation WHERE ticket_id IN ({listed})"  # noqa: S608 - numbers
    with contextlib.suppress(TimeoutError):
        await until_none(pool, question, seconds=_PATIENCE)


def _budget(name: str, limit: float, unit: str) -> Budget:
    return Budget(name=name, bound=Bound.AT_MOST, limit=limit, unit=unit)
