"""What a ticket costs Temporal: the time until its workflow runs, and history events."""

import asyncio
import time
from datetime import UTC, datetime

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.bench.bare import Bare
from tests.bench.burst import until_none
from tests.bench.cast import Cast
from tests.bench.requests import Opened, open_one
from tests.bench.table import Bound, Budget, Row, p50, p99

RUNNING = Budget(name="from 201 to a running workflow, p99", bound=Bound.AT_MOST, limit=250, unit="ms")
HISTORY = Budget(name="events of a plain life", bound=Bound.AT_MOST, limit=30, unit="events")


async def measure_start(cast: Cast, client: Client, bare: Bare, *, number: int) -> list[Row]:
    """Four tickets a second; a workflow runs from the instant at which a worker began its first task."""
    opened = []
    for place in range(number):
        opened.append(await open_one(cast, place))
        await asyncio.sleep(0.25)
    milliseconds = [(await _running_since(client, ticket) - ticket.at) * 1000 for ticket in opened]
    return [Row(RUNNING, p99(milliseconds), bare.start_ms, f"p50 {p50(milliseconds):.0f} ms")]


async def measure_history(cast: Cast, pool: asyncpg.Pool, client: Client) -> list[Row]:
    """Open, assign, reply, resolve, survey, close."""
    began = time.perf_counter()
    ticket = await open_one(cast, 0, "demo-fast")
    await until_none(pool, f"SELECT count(*) FROM ticket WHERE id = {ticket.id} AND assignee_id IS NULL")  # noqa: S608 - a number
    await cast.ask(cast.reply(ticket.id), 201)
    await cast.ask(cast.resolve(ticket.id), 200)
    await until_none(pool, f"SELECT 1 - count(*) FROM survey WHERE ticket_id = {ticket.id}")  # noqa: S608 - a number
    await cast.ask(cast.close(ticket.id), 200)
    handle = client.get_workflow_handle(f"ticket-{ticket.id}")
    await handle.result()
    events = [event async for event in handle.fetch_history_events()]
    return [Row(HISTORY, len(events), also=f"in {time.perf_counter() - began:.1f} s; a warning after 3.75 s would cost three more")]


async def _running_since(client: Client, ticket: Opened) -> float:
    async for event in client.get_workflow_handle(f"ticket-{ticket.id}").fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
            return event.event_time.ToDatetime(UTC).timestamp()
    raise RuntimeError(f"ticket {ticket.id} has a workflow that never ran, at {datetime.now(UTC)}")
