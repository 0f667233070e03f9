"""The least work for Temporal, as the yardstick: ``python -m tests.bench.bare_worker <address> <folder of notes>``."""

import asyncio
import os
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

TASK_QUEUE = "bare"
STARTED = "BareStart"
TIMED = "BareTimer"
TICKET = "BareTicket"
ADOPT = "adopt"
TOLD, ACTED = "told", "acted"
_SHORT = timedelta(seconds=10)


@workflow.defn(name=STARTED)
class BareStart:
    @workflow.run
    async def run(self) -> None:
        return


@workflow.defn(name=TIMED)
class BareTimer:
    @workflow.run
    async def run(self, due_at: float) -> float:
        """Wait until ``due_at`` (Unix time, in seconds); return how late the activity began, in seconds."""
        await workflow.sleep(max(due_at - workflow.time(), 0))
        return await workflow.execute_activity(lateness, due_at, start_to_close_timeout=_SHORT)


@workflow.defn(name=TICKET)
class BareTicket:
    """What is left of a ticket without a helpdesk: it adopts a deadline, waits for it, and runs an activity."""

    def __init__(self) -> None:
        self._due_at: float | None = None

    @workflow.run
    async def run(self) -> None:
        while True:
            armed = self._due_at
            try:
                await workflow.wait_condition(lambda armed=armed: self._due_at != armed, timeout=_until(armed))  # type: ignore[misc]
            except TimeoutError:
                self._due_at = None
                await workflow.execute_activity(act, start_to_close_timeout=_SHORT)

    @workflow.signal(name=ADOPT)
    def adopt(self, due_at: float) -> None:
        self._due_at = due_at
        if not workflow.unsafe.is_replaying():
            note(TOLD)


def _until(due_at: float | None) -> float | None:
    return None if due_at is None else max(due_at - workflow.time(), 0.001)


@activity.defn
async def lateness(due_at: float) -> float:
    return time.time() - due_at


@activity.defn
async def act() -> None:
    note(ACTED)


def note(what: str) -> None:
    """A line with the time: querying thousands of workflows would cost Temporal more than what is measured."""
    with (_folder / what).open("a") as file:
        file.write(f"{time.time():.6f}\n")


_folder = Path(os.devnull)


async def main(address: str, folder: str) -> None:
    global _folder  # noqa: PLW0603 - a process of its own, with one folder
    _folder = Path(folder)
    _folder.mkdir(exist_ok=True)
    client = await Client.connect(address)
    runner = UnsandboxedWorkflowRunner()
    worker = partial(Worker, client, task_queue=TASK_QUEUE, workflow_runner=runner)
    await worker(workflows=[BareStart, BareTimer, BareTicket], activities=[lateness, act]).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
