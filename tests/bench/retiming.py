"""A change of priority moves a ticket's deadlines: until its workflow has taken them."""

import asyncio
import time
from datetime import UTC

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.bench.burst import until_quiet
from tests.bench.cast import Cast
from tests.bench.requests import open_one
from tests.bench.table import Bound, Budget, Row, p50, p99

RETIMED = Budget(name="change of priority to re-timed workflow, p99", bound=Bound.AT_MOST, limit=1000, unit="ms")
_APART = 0.25


async def measure_retiming(cast: Cast, pool: asyncpg.Pool, client: Client, *, number: int) -> list[Row]:
    """Four a second, each from the sending of the request to the end of the workflow's task that took the signal."""
    tickets = [(await open_one(cast, place)).id for place in range(number)]
    await until_quiet(pool)
    waiting_since = {ticket: await _prioritise(cast, ticket) for ticket in tickets}
    await until_quiet(pool)
    milliseconds = [(await _took_signal(client, ticket) - at) * 1000 for ticket, at in waiting_since.items()]
    return [Row(RETIMED, p99(milliseconds), also=f"p50 {p50(milliseconds):.0f} ms")]


async def _prioritise(cast: Cast, ticket_id: str) -> float:
    await asyncio.sleep(_APART)
    version = (await cast.ask(cast.get(ticket_id), 200)).json()["version"]
    waiting_since = time.time()
    await cast.ask(cast.prioritise(ticket_id, version, "urgent"), 200)
    return waiting_since


async def _took_signal(client: Client, ticket_id: str) -> float:
    """When the first task after the last signal was completed."""
    taken_at, was_signalled = None, False
    async for event in client.get_workflow_handle(f"ticket-{ticket_id}").fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            taken_at, was_signalled = None, True
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED and was_signalled and taken_at is None:
            taken_at = event.event_time.ToDatetime(UTC).timestamp()
    if taken_at is None:
        raise RuntimeError(f"the workflow of ticket {ticket_id} never heard of its new priority")
    return taken_at
