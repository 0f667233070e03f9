"""A release under load, behind real Traefik: both APIs and the worker are replaced, one after the other, at fifty requests a second."""

import asyncio
import contextlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import psutil

from deploy.local.temporal import free_port
from tests.bench.burst import until_none, until_quiet
from tests.bench.cast import BASE, Cast
from tests.bench.restartable import RestartableProcess
from tests.bench.system import System
from tests.bench.table import Bound, Budget, Row
from tests.support.compose import traefik
from tests.support.steady import Load

FAILED = Budget(name="requests that fail while all is replaced, at 50/s", bound=Bound.AT_MOST, limit=0, unit="requests")
LOST = Budget(name="... tickets that were not assigned, or not told once", bound=Bound.AT_MOST, limit=0, unit="tickets")
READY_API = Budget(name="processor time until the API is ready", bound=Bound.AT_MOST, limit=1.2, unit="s")
READY_WORKER = Budget(name="processor time until the worker is ready", bound=Bound.AT_MOST, limit=1.5, unit="s")
_A_SECOND = 50
_NOT_TOLD_ONCE = """
    SELECT count(*) FROM unnest($1::bigint[]) AS mine (id) JOIN ticket USING (id) WHERE assignee_id IS NULL
    OR 1 <> (SELECT count(*) FROM notification WHERE ticket_id = ticket.id AND kind = 'ticket_received' AND status = 'sent')
    OR 1 <> (SELECT count(*) FROM notification WHERE ticket_id = ticket.id AND kind = 'ticket_assigned' AND status = 'sent')
"""


@dataclass
class _Process:
    """A process that is replaced: ``used`` is the processor time that each start of it took until it was ready."""

    process: RestartableProcess
    used: list[float]

    def replace(self) -> None:
        self.process.stop()
        self.process.start()
        self.used.append(used_by(self.process.process))


async def measure_rolling(system: System, cast: Cast, pool: asyncpg.Pool) -> list[Row]:
    ports = free_port(), free_port()
    with ExitStack() as started:
        apis = [_Process(_api(system, port), []) for port in ports]
        for api in apis:
            started.callback(api.process.stop)
            api.replace()
        proxy = free_port()
        started.enter_context(traefik(system.var, proxy, [f"http://127.0.0.1:{port}" for port in ports]))
        load, worker = await _replace_under_load(system, cast, apis, proxy)
    with contextlib.suppress(TimeoutError):  # then the figure says how many were lost, or are late
        await until_none(pool, "SELECT count(*) FROM ticket WHERE merchant_id = 2001 AND assignee_id IS NULL", seconds=600)
    await until_quiet(pool)
    lost = await pool.fetchval(_NOT_TOLD_ONCE, [int(ticket) for ticket in load.tickets])
    return [
        Row(FAILED, len(load.failed), also=f"of {load.sent}; {load.failed[:3] or ''}"),
        Row(LOST, lost, also=f"of {len(load.tickets)}"),
        Row(READY_API, min(used for api in apis for used in api.used)),
        Row(READY_WORKER, min(worker.used)),
    ]


async def _replace_under_load(system: System, cast: Cast, apis: list[_Process], proxy: int) -> tuple[Load, _Process]:
    headers, worker = {"Authorization": f"Bearer {cast.reporters[0]}"}, _Process(system.worker, [])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy}{BASE}", headers=headers, timeout=60) as client:
        await _routed(client)
        load = Load(client)
        async with load.running(per_second=_A_SECOND):
            for part in (apis[0], worker, apis[1], worker):
                await asyncio.to_thread(part.replace)
                await asyncio.sleep(5)  # under load as it is between two steps of a release: the proxy looks every two seconds
    return load, worker


async def _routed(client: httpx.AsyncClient) -> None:
    """Wait until the proxy has read its routes."""
    async with asyncio.timeout(20):
        while True:
            if (await client.get("/tickets")).is_success:
                return
            await asyncio.sleep(0.1)


def _api(system: System, port: int) -> RestartableProcess:
    own = {"RUN_MODE": "startup", "APP_ENV_HTTP_PORT": str(port), "APP_ENV_HTTP_METRICS_PORT": "0", "APP_ENV_HTTP_DRAIN_SECONDS": "5"}
    log: Path = system.var / "log" / f"api-{port}.log"
    return RestartableProcess({**system.parts["api"].environ(), **own}, port, log, probe="readyz")


def used_by(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
