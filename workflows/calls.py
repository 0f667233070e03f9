"""Asking an activity to act, by its explicit name: its code, with tables and drivers, stays out of the workflow's reach."""

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from models.payload import Payload

_T = TypeVar("_T")
_ONE_TRY = RetryPolicy(maximum_attempts=1)
_UNTIL_IT_WORKS = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1))


class NotDone(Exception):
    """All tries on this worker failed. Nobody cancelled it: a cancellation is raised as it comes."""


async def act(name: str, request: Payload, answer: type[_T], summary: str) -> _T:
    """Do a short database write: at once on this worker, one event; if that fails, as a task of the server that is retried until it works.

    The second way costs six events more and shows the operator the last failure and the next try.
    """
    try:
        return await local(name, request, answer, summary)
    except NotDone:
        return await until_it_works(name, request, answer, summary, one_try=timedelta(seconds=30))


async def local(  # noqa: PLR0913 - the last three have the defaults of a short write
    name: str,
    request: Payload,
    answer: type[_T],
    summary: str,
    *,
    one_try: timedelta = timedelta(seconds=5),
    tries: RetryPolicy = _ONE_TRY,
    waited_here: timedelta | None = None,
) -> _T:
    """On this worker; ``one_try`` is how long a try may take. A pause between two that is longer than ``waited_here`` is a timer of the
    engine.

    Raises:
        NotDone: it failed.
    """
    try:
        result: _T = await workflow.execute_local_activity(
            name,
            request,
            result_type=answer,
            start_to_close_timeout=one_try,
            retry_policy=tries,
            local_retry_threshold=waited_here,
            summary=summary,
        )
    except FailureError as failure:  # a local activity raises its bare cause, or an ActivityError when it timed out
        if is_cancelled_exception(failure):
            raise
        raise NotDone from failure
    return result


async def until_it_works(name: str, request: Payload, answer: type[_T], summary: str, *, one_try: timedelta) -> _T:
    """As a task of the server, retried for ever; ``one_try`` is how long a try may take."""
    result: _T = await workflow.execute_activity(
        name,
        request,
        result_type=answer,
        start_to_close_timeout=one_try,
        retry_policy=_UNTIL_IT_WORKS,
        summary=summary,
    )
    return result
