"""The ceilings of this machine, measured in the same run: the bare database and bare Temporal, without this project."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from uuid import uuid4

import asyncpg
from temporalio.client import Client

from models.value import Value
from tests.bench.bare_worker import STARTED, TASK_QUEUE, TIMED
from tests.bench.system import System, bare_worker
from tests.bench.table import Ceiling, p50, p99

_TABLES = "".join(
    f"CREATE TABLE t{n} (merchant_id bigint, id bigint, body jsonb, at timestamptz, PRIMARY KEY (merchant_id, id));" for n in range(4)
)
_INSERTS = tuple(f"INSERT INTO t{n} VALUES (1, $1, $2, now())" for n in range(4))  # noqa: S608 - our own names
_BODY = '{"subject": "The till does not open", "description": "Since this morning."}'
_ids = count(1)
INSTANTS = (3.75, 5, 7.5, 10, 12.5)
"""Seconds from the opening of a ticket of the category demo-fast to its deadlines: warning and breach of the first response; 75, 100 and
125 % of the resolution. What is opened at a steady pace comes due in bunches: the yardstick's timers do so too."""


class Bare(Value):
    """Milliseconds, and so many a second."""

    transaction_ms: float
    transactions: float
    start_ms: float
    starts: float
    late: Mapping[int, tuple[float, ...]]
    """By how many milliseconds timers were late, at so many a second."""

    def ceilings(self) -> list[Ceiling]:
        return [
            Ceiling("one Postgres transaction of four inserts", f"{self.transaction_ms:.2f} ms p50, {self.transactions:.0f}/s by 8"),
            Ceiling("one workflow start", f"{self.start_ms:.1f} ms p50, {self.starts:.0f}/s by 8"),
            *(
                Ceiling(f"one timer, then an activity, at {rate}/s", f"late by {p50(late):.0f} ms p50, {p99(late):.0f} ms p99")
                for rate, late in self.late.items()
            ),
        ]


async def measure_bare(system: System, client: Client, *, timers: Mapping[int, int]) -> Bare:
    """All ceilings; ``timers`` says how many are fired at so many a second."""
    alone, rate = await _database(system)
    with bare_worker(system):
        await _run(client)
        start, starts = await timed(lambda: _start(client), clients=1, each=100), await timed(lambda: _start(client), clients=8, each=50)
        await _run(client)
        late = {rate: await _timers(client, number, rate) for rate, number in timers.items()}
    return Bare(
        transaction_ms=p50(alone.milliseconds),
        transactions=rate.a_second,
        start_ms=p50(start.milliseconds),
        starts=starts.a_second,
        late=late,
    )


class Timed(Value):
    """How long each took, and how many a second there were."""

    milliseconds: tuple[float, ...]
    a_second: float


async def timed(do: Callable[[], Awaitable[object]], *, clients: int, each: int) -> Timed:
    """``clients`` at once do it ``each`` times, one after the other."""
    taken: list[float] = []

    async def one_client() -> None:
        for _ in range(each):
            began = time.perf_counter()
            await do()
            taken.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(one_client() for _ in range(clients)))
    return Timed(milliseconds=tuple(taken), a_second=len(taken) / (time.perf_counter() - began))


async def _database(system: System) -> tuple[Timed, Timed]:
    system.postgres.psql("CREATE DATABASE bare")
    async with asyncpg.create_pool(system.superuser_url("bare"), min_size=8, max_size=8) as pool:
        await pool.execute(_TABLES)
        await timed(lambda: _transaction(pool), clients=8, each=20)
        return await timed(lambda: _transaction(pool), clients=1, each=400), await timed(lambda: _transaction(pool), clients=8, each=300)


async def _transaction(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        for insert in _INSERTS:
            await connection.execute(insert, next(_ids), _BODY)


async def _start(client: Client) -> None:
    await client.start_workflow(STARTED, id=f"bare-{uuid4()}", task_queue=TASK_QUEUE)


async def _run(client: Client) -> None:
    """Start one and wait for its end: the worker is there then, and done with those before it."""
    await client.execute_workflow(STARTED, id=f"bare-{uuid4()}", task_queue=TASK_QUEUE)


async def _timers(client: Client, number: int, rate: int) -> tuple[float, ...]:
    """Milliseconds by which each activity began after its instant: those of ``number / 5`` tickets that are opened at an even pace.

    They are started one by one, at the same pace as they come due. Results are asked for when all are over: asking costs Temporal, too.
    """
    handles, each = [], len(INSTANTS)
    began = time.time()
    for place in range(number):
        await asyncio.sleep(max(began + place / rate - time.time(), 0))
        due_at = began + place // each * each / rate + INSTANTS[place % each] + each / rate
        handles.append(await client.start_workflow(TIMED, due_at, id=f"bare-{uuid4()}", task_queue=TASK_QUEUE, result_type=float))
    await asyncio.sleep(max(began + (number + each) / rate + INSTANTS[-1] - time.time(), 0))
    return tuple([await handle.result() * 1000 for handle in handles])
