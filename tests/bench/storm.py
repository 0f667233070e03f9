"""The crowd's deadlines: brought to all by a recalculation, due at one instant, due while no worker lives. Beside a bare crowd."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from models.tickets.messages import TicketFacts
from tests.bench.bare_crowd import LONG_ENOUGH, MARGIN, BareCrowd, measure_bare_crowd
from tests.bench.burst import last_notification, until_none, until_quiet
from tests.bench.cast import Cast
from tests.bench.crowd import APART, CROWD, Crowd, assemble_crowd
from tests.bench.system import System
from tests.bench.table import Bound, Budget, Row
from tests.bench.wire import request

ALL = 10_000
RECALCULATED = Budget(name=f"recalculation of {ALL:,} tickets, beyond as many bare signals", bound=Bound.AT_MOST, limit=60, unit="s")
STORM = Budget(name="storm of deadlines at one instant, in times of bare", bound=Bound.AT_MOST, limit=1.2, unit="x")
OUTAGE = Budget(name="outage: from the worker's launch to the last rung, in times of bare", bound=Bound.AT_MOST, limit=1.5, unit="x")
WRONG = Budget(name="... tickets without exactly their highest rung, in order", bound=Bound.AT_MOST, limit=0, unit="tickets")
_PATIENCE = 300
_ANSWERED_WITHIN = timedelta(seconds=120)
"""A query waits behind thousands of signals."""
_ASKED = 50
"""How many workflows are queried: the last ones in the order of the signals. When these know the facts, all do."""
_TAKEN = "SELECT {number} - count(*) FROM escalation WHERE merchant_id = {merchant} AND metric = '{metric}' AND level = {level}"
_LAST = """
    SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))::float8 FROM escalation WHERE merchant_id = $1 AND metric = $2
"""
_LAST_TOLD = "SELECT id, facts_version FROM ticket WHERE merchant_id = $1 ORDER BY id DESC LIMIT $2"
_LADDERS = """
    SELECT count(*) FROM (
        SELECT array_agg(ARRAY[level::text, outcome] ORDER BY id) AS taken, array_agg(due_at ORDER BY id) AS due
        FROM escalation WHERE merchant_id = $1 AND metric = 'resolution' GROUP BY ticket_id
    ) AS ladder
    WHERE taken = ARRAY[ARRAY['1', 'superseded'], ARRAY['2', 'superseded'], ARRAY['3', 'reassigned']] AND due = $2::timestamptz[]
"""


class Told(NamedTuple):
    """Seconds from the 202 until the job was done, and until the workflows knew of the new deadline."""

    done: float
    known: float


async def measure_crowd(system: System, pool: asyncpg.Pool, cast: Cast, *, number: int, outage: bool) -> list[Row]:
    """Recalculation and storm, and the ``outage`` if it is wanted."""
    client = await Client.connect(system.temporal_address, data_converter=pydantic_data_converter)
    bare = await measure_bare_crowd(system, client, number, outage=outage)
    crowd = await assemble_crowd(system, pool, cast, number)
    told, rows = await _storm(pool, client, crowd, bare, 2 * bare.signals + MARGIN)
    if bare.outage is None:
        return rows
    await until_quiet(pool)
    return rows + await _outage(system, pool, client, crowd, bare.outage, 1.5 * told.known + MARGIN)


async def _storm(pool: asyncpg.Pool, client: Client, crowd: Crowd, bare: BareCrowd, lead: float) -> tuple[Told, list[Row]]:
    path = await crowd.publish(first_response=datetime.now(UTC) + timedelta(seconds=lead))
    told, due_at = await _recalculate(pool, client, crowd, path), crowd.due_at("first_response")
    early = "" if due_at > time.time() else "; the deadline came before all knew of it"
    await until_none(pool, _taken(crowd, "first_response", 1), seconds=_PATIENCE)
    last = await pool.fetchval(_LAST, CROWD.merchant_id, "first_response")
    storm = last - due_at
    emails = f"{await last_notification(pool, seconds=_PATIENCE)} after {time.time() - due_at:.1f} s"
    scale = ALL / crowd.number
    also = f"of {crowd.number:,}, scaled: done after {told.done:.1f} s, known after {told.known:.1f} s, bare {bare.signals:.1f} s"
    return told, [
        Row(RECALCULATED, (told.known - bare.signals) * scale, also=also),
        Row(
            STORM,
            storm / bare.storm,
            also=f"{crowd.number:,} in {storm:.1f} s, bare {bare.storm:.1f} s; {emails}{early}",
        ),
    ]


async def _recalculate(pool: asyncpg.Pool, client: Client, crowd: Crowd, path: str) -> Told:
    began = time.time()
    job = (await crowd.cast.ask(request("POST", path, crowd.admin), 202)).json()
    await until_none(pool, f"SELECT count(*) FROM job WHERE id = {job['id']} AND status <> 'done'", seconds=_PATIENCE)  # noqa: S608 - a number
    done = time.time() - began
    await until_none(pool, "SELECT count(*) FROM outbox WHERE topic = 'ticket'", seconds=_PATIENCE)
    for row in await pool.fetch(_LAST_TOLD, CROWD.merchant_id, _ASKED):
        await _until_known(client, row["id"], row["facts_version"])
    return Told(done, time.time() - began)


async def _until_known(client: Client, ticket_id: int, version: int) -> None:
    handle = client.get_workflow_handle(f"ticket-{ticket_id}")
    async with asyncio.timeout(_PATIENCE):
        while await _version(handle) < version:  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.1)


async def _version(handle: WorkflowHandle[Any, Any]) -> int:
    """0: the server asks to be asked again, as it does under load."""
    try:
        facts: TicketFacts = await handle.query("facts", result_type=TicketFacts, rpc_timeout=_ANSWERED_WITHIN)
    except RPCError as error:
        if error.status is not RPCStatusCode.UNAVAILABLE:
            raise
        return 0
    return facts.version


async def _outage(system: System, pool: asyncpg.Pool, client: Client, crowd: Crowd, bare: float, lead: float) -> list[Row]:
    path = await crowd.publish(resolution=datetime.now(UTC) + timedelta(seconds=lead))
    await _recalculate(pool, client, crowd, path)
    due_at = crowd.due_at("resolution")
    await asyncio.to_thread(system.worker.stop)
    in_time = "" if time.time() < due_at - APART else "; stopped too late: this machine is too busy for the rehearsal"
    await asyncio.sleep(max(due_at + APART + LONG_ENOUGH - time.time(), 0))
    launched_at = await asyncio.to_thread(system.worker.start)
    ready = time.time() - launched_at
    await until_none(pool, _taken(crowd, "resolution", 3), seconds=_PATIENCE)
    last = await pool.fetchval(_LAST, CROWD.merchant_id, "resolution")
    instants = [datetime.fromtimestamp(due_at, UTC) + timedelta(seconds=isolated) for isolated in (-APART, 0, APART)]
    right = await pool.fetchval(_LADDERS, CROWD.merchant_id, instants)
    drain = last - launched_at
    emails = f"{await last_notification(pool, seconds=_PATIENCE)} after {time.time() - launched_at:.1f} s"
    also = f"{crowd.number:,} in {drain:.1f} s, {ready:.1f} s of them until the worker was there; bare {bare:.1f} s; {emails}{in_time}"
    return [Row(OUTAGE, drain / bare, also=also), Row(WRONG, crowd.number - right)]


def _taken(crowd: Crowd, metric: str, level: int) -> str:
    return _TAKEN.format(number=crowd.number, merchant=CROWD.merchant_id, metric=metric, level=level)
