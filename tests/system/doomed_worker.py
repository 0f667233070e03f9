"""A worker that is killed as soon as an escalation is committed, before it has reported to Temporal: for one test."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import temporalio.worker
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

import worker
from models.platform.settings import Settings
from models.tickets.messages import RUN_DUE_DEADLINES

_workers_of = worker.workers_of


class _Death(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        result = await super().execute_activity(input)
        if temporalio.activity.info().activity_type == RUN_DUE_DEADLINES:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class _Doom(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Death(next)


def _doomed(*args: Any, **options: Any) -> temporalio.worker.Worker:
    return temporalio.worker.Worker(*args, **options, interceptors=[_Doom()])


def _of_tickets_alone(*args: Any) -> Sequence[temporalio.worker.Worker]:
    """No notifications: a delivery in progress when a worker dies is another test's subject."""
    return _workers_of(*args)[:1]


if __name__ == "__main__":
    worker.workers_of = _of_tickets_alone  # type: ignore[assignment]
    worker.Worker = _doomed  # type: ignore[attr-defined,assignment] # the same worker in all but its end
    asyncio.run(worker.run(Settings()))
