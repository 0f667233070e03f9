"""The least that an engine can be asked to do, as the yardstick: ``python -m tests.bench.bare_worker <address>``."""

import asyncio
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

TASK_QUEUE = "bare"
STARTED = "BareStart"
TIMED = "BareTimer"


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
        return await workflow.execute_activity(lateness, due_at, start_to_close_timeout=timedelta(seconds=10))


@activity.defn
async def lateness(due_at: float) -> float:
    return time.time() - due_at


async def main(address: str) -> None:
    client = await Client.connect(address)
    runner = UnsandboxedWorkflowRunner()
    await Worker(client, task_queue=TASK_QUEUE, workflows=[BareStart, BareTimer], activities=[lateness], workflow_runner=runner).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
