"""The parts of the benchmark, in the order in which they are measured."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg
from temporalio.client import Client

from models.value import Value
from tests.bench.bare import Bare, measure_bare
from tests.bench.burst import measure_burst, until_quiet
from tests.bench.calendars import measure_calendars
from tests.bench.cast import BUSY, Cast, assemble
from tests.bench.lateness import measure_lateness
from tests.bench.neighbour import measure_neighbour
from tests.bench.reports import measure_reports
from tests.bench.requests import measure_requests
from tests.bench.retiming import measure_retiming
from tests.bench.rolling import measure_rolling
from tests.bench.space import measure_space
from tests.bench.storm import measure_crowd
from tests.bench.system import System
from tests.bench.table import Bound, Budget, Row, text_of
from tests.bench.temporal import measure_history, measure_start

PARTS = frozenset(
    "calendars requests starts retiming lateness burst recalculation storm outage reports neighbour space rolling".split()  # noqa: SIM905
)
WHOLE = Budget(name="memory (PSS) of the whole local system", bound=Bound.AT_MOST, limit=800, unit="MB")
_OF_THE_CROWD = frozenset({"recalculation", "storm", "outage"})
API = Budget(name="resident memory of the API", bound=Bound.AT_MOST, limit=180, unit="MB")
WORKER = Budget(name="resident memory of the worker", bound=Bound.AT_MOST, limit=260, unit="MB")


class Sizes(Value):
    """How many of each; of ``timers`` and ``escalated`` tickets by the deadlines a second."""

    timers: Mapping[int, int]
    requests: int
    starts: int
    escalated: Mapping[int, int]
    burst: int
    crowd: int
    reports: int
    neighbour: int
    space: int


FULL = Sizes(
    timers={1: 15, 10: 150, 50: 400},
    requests=300,
    starts=40,
    escalated={1: 8, 10: 60, 50: 200},
    burst=1600,
    crowd=2000,
    reports=30,
    neighbour=200,
    space=400,
)
QUICK = Sizes(
    timers={1: 3, 10: 30, 50: 50},
    requests=60,
    starts=10,
    escalated={1: 1, 10: 8, 50: 20},
    burst=200,
    crowd=100,
    reports=10,
    neighbour=50,
    space=80,
)


@dataclass
class _Run:
    """What is measured, and what came out so far."""

    system: System
    client: Client
    pool: asyncpg.Pool
    cast: Cast
    bare: Bare
    sizes: Sizes
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def measure(system: System, sizes: Sizes, wanted: frozenset[str]) -> None:
    """Print the table of the ``wanted`` parts."""
    client = await Client.connect(system.temporal_address)
    _say("the bare ceilings")
    bare = await measure_bare(system, client, timers=sizes.timers if "lateness" in wanted else {})
    async with asyncpg.create_pool(system.superuser_url(), min_size=1, max_size=2) as pool:
        cast = await assemble(system, pool)
        run = _Run(system, client, pool, cast, bare, sizes)
        try:
            await _measure(run, wanted)
        finally:  # what was measured before an error is worth its minutes
            print("\n" + text_of(bare.ceilings(), run.rows, [*run.notes, f"load at the end: {os.getloadavg()[0]:.2f}"]))
            await cast.aclose()


async def _measure(run: _Run, wanted: frozenset[str]) -> None:
    for part in ("calendars", "requests", "starts", "retiming", "lateness", "burst", "neighbour", "space", "rolling"):
        if part in wanted:
            _say(part)
            await _MEASURE[part](run)
            await until_quiet(run.pool)
    if wanted & _OF_THE_CROWD:
        _say(f"a crowd of {run.sizes.crowd:,}")
        run.rows += await measure_crowd(run.system, run.pool, run.cast, number=run.sizes.crowd, outage="outage" in wanted)
        await until_quiet(run.pool)
    if "reports" in wanted:
        _say("reports")
        run.rows += await measure_reports(run.system.postgres, each=run.sizes.reports)


async def _calendars(run: _Run) -> None:
    run.rows += measure_calendars()


async def _requests(run: _Run) -> None:
    run.rows += await measure_requests(run.cast, run.pool, run.bare, each=run.sizes.requests)


async def _starts(run: _Run) -> None:
    run.rows += await measure_start(run.cast, run.client, run.bare, number=run.sizes.starts)
    run.rows += await measure_history(run.cast, run.pool, run.client)


async def _retiming(run: _Run) -> None:
    run.rows += await measure_retiming(run.cast, run.pool, run.client, number=run.sizes.starts)


async def _lateness(run: _Run) -> None:
    run.rows += await measure_lateness(run.cast, run.pool, run.bare, run.sizes.escalated)


async def _burst(run: _Run) -> None:
    rows, notes = await measure_burst(run.system, run.cast, run.pool, run.bare, number=run.sizes.burst)
    tickets = await run.pool.fetchval("SELECT count(*) FROM ticket WHERE merchant_id = $1", BUSY.merchant_id)
    memory = [
        Row(budget, run.system.resident_megabytes(of), also=f"after {tickets} tickets") for of, budget in (("api", API), ("worker", WORKER))
    ]
    whole = Row(WHOLE, sum(run.system.pss().values()), also=f"after {tickets} tickets")
    run.rows += [*rows, *memory, whole]
    run.notes += notes


async def _neighbour(run: _Run) -> None:
    rows, notes = await measure_neighbour(run.system, run.cast, run.pool, rounds=run.sizes.neighbour)
    run.rows += rows
    run.notes += notes


async def _space(run: _Run) -> None:
    run.notes += await measure_space(run.system, run.cast, run.pool, number=run.sizes.space)


async def _rolling(run: _Run) -> None:
    run.rows += await measure_rolling(run.system, run.cast, run.pool)


_MEASURE = {
    "calendars": _calendars,
    "requests": _requests,
    "starts": _starts,
    "retiming": _retiming,
    "lateness": _lateness,
    "burst": _burst,
    "neighbour": _neighbour,
    "space": _space,
    "rolling": _rolling,
}


def _say(phase: str) -> None:
    print(f"... {phase}", file=sys.stderr, flush=True)
