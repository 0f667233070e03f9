"""Asking an activity to act, by its explicit name: its code, with tables and drivers, stays out of the workflow's reach."""

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from models.messages.message import Message

_T = TypeVar("_T")
_ONE_TRY = RetryPolicy(maximum_attempts=1)
_UNTIL_IT_WORKS = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1))


async def act(name: str, request: Message, answer: type[_T], summary: str) -> _T:
    """Do a short database write: at once on this worker, one event; if that fails, as a task of the server that is retried until it works.

    The second way costs six events more and shows the operator the last failure and the next try.
    """
    try:
        return await local(name, request, answer, summary)
    except FailureError as failure:  # a local activity raises its bare cause, or an ActivityError when it timed out
        if is_cancelled_exception(failure):
            raise
        result: _T = await workflow.execute_activity(
            name,
            request,
            result_type=answer,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=_UNTIL_IT_WORKS,
            summary=summary,
        )
        return result


async def local(name: str, request: Message, answer: type[_T], summary: str) -> _T:
    """One try on this worker, at most five seconds."""
    result: _T = await workflow.execute_local_activity(
        name,
        request,
        result_type=answer,
        start_to_close_timeout=timedelta(seconds=5),
        retry_policy=_ONE_TRY,
        summary=summary,
    )
    return result
