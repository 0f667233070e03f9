"""A worker that is killed as soon as an escalation is committed, before it has reported to Temporal: for one test."""

import asyncio
import os
import signal
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from deploy.app_info import APP_INFO
from models.platform.settings import Settings
from models.tickets.messages import RUN_DUE_DEADLINES
from worker import run


class _Death(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        result = await super().execute_activity(input)
        if activity.info().activity_type == RUN_DUE_DEADLINES:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class _Doom(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Death(next)


if __name__ == "__main__":
    asyncio.run(run(Settings(), node=APP_INFO.node, code=APP_INFO.code, interceptors=[_Doom()]))
