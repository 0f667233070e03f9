"""The yardstick of the crowd: as many bare workflows adopt one deadline, wait for it, and run an activity."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from temporalio.client import Client

from models.value import Value
from tests.bench.bare_worker import ACTED, ADOPT, TASK_QUEUE, TICKET, TOLD
from tests.bench.system import System, bare_worker

AT_ONCE = 8
"""Concurrent calls to Temporal, as many as the relay makes."""
MARGIN = 10.0
"""Seconds between what is expected to take until all know of a deadline, and the deadline."""
LONG_ENOUGH = 12.0
"""Seconds of outage after the deadlines: Temporal keeps a task for ten for the worker that last had its workflow."""
_PATIENCE = 300


class BareCrowd(Value):
    """Seconds: until all signals were sent and taken; from the one deadline to the last activity; from a worker's launch to the same."""

    signals: float
    storm: float
    outage: float | None = None


async def measure_bare_crowd(system: System, client: Client, number: int, *, outage: bool) -> BareCrowd:
    notes, ids = _Notes(system), [f"bare-ticket-{place}" for place in range(number)]
    with bare_worker(system):
        began = time.time()
        await all_of(lambda id_: client.start_workflow(TICKET, id=id_, task_queue=TASK_QUEUE), ids)
        due_at = time.time() + (time.time() - began) + MARGIN
        signals = await _tell(client, notes, ids, due_at, round_=1)
        storm = await notes.last(ACTED, number) - due_at
        due_at = time.time() + signals + MARGIN
        if outage:
            await _tell(client, notes, ids, due_at, round_=2)
    if not outage:
        return BareCrowd(signals=signals, storm=storm)
    await asyncio.sleep(max(due_at + LONG_ENOUGH - time.time(), 0))
    launched_at = time.time()
    with bare_worker(system):
        return BareCrowd(signals=signals, storm=storm, outage=await notes.last(ACTED, 2 * number) - launched_at)


async def all_of(do: Callable[[str], Awaitable[object]], ids: Iterable[str]) -> None:
    waiting = iter(ids)

    async def one_after_the_other() -> None:
        for each in waiting:
            await do(each)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def _tell(client: Client, notes: "_Notes", ids: list[str], due_at: float, *, round_: int) -> float:
    began = time.time()
    await all_of(lambda id_: client.get_workflow_handle(id_).signal(ADOPT, due_at), ids)
    return await notes.last(TOLD, round_ * len(ids)) - began


class _Notes:
    def __init__(self, system: System) -> None:
        self._folder = system.notes

    async def last(self, what: str, number: int) -> float:
        """When the ``number``-th was noted.

        Raises:
            TimeoutError: there are not that many after five minutes.
        """
        async with asyncio.timeout(_PATIENCE):
            while len(noted := self._read(what)) < number:  # noqa: ASYNC110 - lines of another process
                await asyncio.sleep(0.2)
        return noted[number - 1]

    def _read(self, what: str) -> list[float]:
        file = self._folder / what
        return sorted(map(float, file.read_text().split())) if file.exists() else []
