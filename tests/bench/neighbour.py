"""A noisy neighbour: 64 loops of one merchant create and search; what does another merchant feel of it?"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import asyncpg
import psutil

from deploy.local.processes import end, launch, wait_until
from deploy.local.temporal import answers, free_port
from models.people.roles import Role
from tests.bench.burst import costs
from tests.bench.cast import BASE, BUSY, LONG, Cast, checked, token, write_long_list
from tests.bench.system import ROOT, System
from tests.bench.table import Bound, Budget, Row, p50, percentile
from tests.bench.wire import Connection, request

LOOPS = 64
PEOPLE = 8
"""Of the quiet merchant, in turns: one after the other they ask faster than any one person does."""
P95 = Budget(name="p95 beside a loud merchant, x idle", bound=Bound.AT_MOST, limit=1.5, unit="x")
_LIMITS = "APP_ENV_RATE_LIMIT_"


class _Api(NamedTuple):
    pid: int
    port: int


async def measure_neighbour(system: System, cast: Cast, pool: asyncpg.Pool, *, rounds: int) -> tuple[list[Row], list[str]]:
    """With the limits of a fresh installation. A request of the quiet merchant that is refused ends the run: it is worth no figure."""
    if not await pool.fetchval("SELECT count(*) > 1000 FROM ticket WHERE merchant_id = $1", LONG.merchant_id):
        await write_long_list(cast, pool)
    loud = [await token(cast.connections[0], BUSY, f"busy-loud{n}", Role.AGENT) for n in range(LOOPS)]
    quiet = [await token(cast.connections[0], LONG, f"long-quiet{n}", Role.AGENT) for n in range(PEOPLE)]
    tokens = system.var / "loud-tokens"
    tokens.write_text("\n".join(loud))
    with _limited_api(system) as limited:
        system, port = replace(system, parts={**system.parts, "api": psutil.Process(limited.pid)}), limited.port
        connection = await Connection.to(port)
        await _milliseconds(connection, quiet, 5)
        idle = await _milliseconds(connection, quiet, rounds)
        before, began = system.cpu_seconds(), time.perf_counter()
        with _noise(system, port, tokens) as said:
            beside = await _milliseconds(connection, quiet, rounds)
            seconds, after = time.perf_counter() - began, system.cpu_seconds()
        await connection.aclose()
    also = (
        f"idle p50 {p50(idle):.1f} p95 {percentile(idle, 0.95):.1f} ms, beside p50 {p50(beside):.1f} p95 {percentile(beside, 0.95):.1f} ms"
    )
    row = Row(P95, percentile(beside, 0.95) / percentile(idle, 0.95), also=also)
    got = json.loads(said.read_text().splitlines()[-1])
    return [row], [
        f"the loud merchant in {seconds:.1f} s: {got}",
        costs("processor time a quiet request", before, after, len(beside), seconds),
    ]


async def _milliseconds(connection: Connection, tokens: Sequence[str], rounds: int) -> list[float]:
    """Of each request of a person who opens, reads, answers and lists, one after the other."""
    taken = list[float]()

    async def ask(whole: bytes, expected: int) -> str:
        began = time.perf_counter()
        answer = await connection.ask(whole)
        taken.append((time.perf_counter() - began) * 1000)
        return str(checked(answer, expected).json().get("id"))

    for by in islice(cycle(tokens), rounds):
        opened = await ask(request("POST", f"{BASE}/tickets", by, {"subject": "A till", "description": "It is closed."}), 201)
        await ask(request("GET", f"{BASE}/tickets/{opened}", by), 200)
        await ask(request("POST", f"{BASE}/tickets/{opened}/messages", by, {"body": "At noon."}), 201)
        await ask(request("GET", f"{BASE}/tickets?limit=50", by), 200)
    return taken


@contextlib.contextmanager
def _limited_api(system: System) -> Iterator[_Api]:
    """Another API process, beside the one whose limits are out of reach for the other parts."""
    port, log = free_port(), system.var / "log" / "limited-api.log"
    environment = {name: value for name, value in system.parts["api"].environ().items() if not name.startswith(_LIMITS)}
    environment |= {"APP_ENV_HTTP_PORT": str(port), "APP_ENV_HTTP_METRICS_PORT": str(free_port())}
    process = launch([sys.executable, "-m", "deploy.local.api"], log=log, environment=environment, cwd=ROOT)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), process, log=log, seconds=90)
        yield _Api(process.pid, port)
    finally:
        end(process, seconds=30)


@contextlib.contextmanager
def _noise(system: System, port: int, tokens: Path) -> Iterator[Path]:
    """Yields the file in which it says at its end what it got."""
    log = system.var / "log" / "noise.log"
    process = launch([sys.executable, "-m", "tests.bench.noise", str(port), str(tokens)], log=log, cwd=ROOT)
    try:
        yield log
    finally:
        end(process, seconds=30)
