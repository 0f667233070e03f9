"""``make bench``: the promised figures, on real parts, beside the bare ceilings of this machine. ``--quick``: one minute instead of 5."""

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import uvloop
from temporalio.client import Client

from tests.bench.bare import Bare, measure_bare
from tests.bench.burst import measure_burst, until_quiet
from tests.bench.cast import BUSY, Cast, assemble
from tests.bench.engine import measure_escalations, measure_history, measure_start
from tests.bench.reports import measure_reports
from tests.bench.requests import measure_requests
from tests.bench.system import System, running
from tests.bench.table import Bound, Promise, Row, text_of

API = Promise(name="resident memory of the API", bound=Bound.AT_MOST, limit=180, unit="MB")
WORKER = Promise(name="resident memory of the worker", bound=Bound.AT_MOST, limit=260, unit="MB")


@dataclass(frozen=True)
class Sizes:
    """How many of each."""

    timers: int
    requests: int
    starts: int
    escalated: int
    burst: int
    reports: int


FULL = Sizes(timers=150, requests=300, starts=40, escalated=60, burst=1600, reports=30)
QUICK = Sizes(timers=30, requests=60, starts=10, escalated=8, burst=200, reports=10)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of each, in a minute")
    sizes = QUICK if parser.parse_args().quick else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # in good order: what was started is stopped
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.2f}; others use {psutil.cpu_percent(2):.0f} % of the machine", flush=True)
    with tempfile.TemporaryDirectory(prefix="helpdesk-bench-") as folder, running(Path(folder)) as system:
        for name, process in system.processes.items():
            print(f"  {name}: process {process.pid}")
        print(uvloop.run(_measure(system, sizes)))


async def _measure(system: System, sizes: Sizes) -> str:
    client = await Client.connect(system.temporal_address)
    _say("the bare ceilings")
    bare = await measure_bare(system, client, timers=sizes.timers)
    async with asyncpg.create_pool(system.superuser_url(), min_size=1, max_size=2) as pool:
        cast = await assemble(system, pool)
        try:
            rows, notes = await _rows(system, client, pool, cast, bare, sizes)
        finally:
            await cast.aclose()
    return "\n" + text_of(bare.ceilings(), rows, [*notes, f"load at the end: {os.getloadavg()[0]:.2f}"])


async def _rows(
    system: System,
    client: Client,
    pool: asyncpg.Pool,
    cast: Cast,
    bare: Bare,
    sizes: Sizes,
) -> tuple[list[Row], list[str]]:
    _say("requests of one client")
    rows = await measure_requests(cast, pool, bare, each=sizes.requests)
    await until_quiet(pool)
    _say("starts, and a plain life")
    rows += await measure_start(cast, client, bare, number=sizes.starts)
    rows += await measure_history(cast, pool, client)
    await until_quiet(pool)
    _say("escalations")
    rows += await measure_escalations(cast, pool, bare, number=sizes.escalated)
    await until_quiet(pool)
    _say("the burst")
    burst, notes = await measure_burst(system, cast, pool, bare, number=sizes.burst)
    rows += [*burst, *await _memory(system, pool)]
    await until_quiet(pool)
    _say("reports")
    return [*rows, *await measure_reports(system.postgres, each=sizes.reports)], notes


async def _memory(system: System, pool: asyncpg.Pool) -> list[Row]:
    tickets = await pool.fetchval("SELECT count(*) FROM ticket WHERE merchant_id = $1", BUSY.merchant_id)
    return [
        Row(promise, system.resident_megabytes(name), also=f"after {tickets} tickets")
        for name, promise in (("api", API), ("worker", WORKER))
    ]


def _say(phase: str) -> None:
    print(f"... {phase}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
