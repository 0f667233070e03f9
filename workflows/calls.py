"""What the workflows have done, one typed function an activity; the constant that it names leads to the activity itself.

Its code, with tables and drivers, stays out of the workflows' reach (import-linter holds it).
"""

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from models.jobs.messages import RUN_BATCH, JobFacts, JobRef
from models.notifications.messages import DELIVER, NOT_YET, TRY_SECONDS, DeliveryRef
from models.outbox.messages import RECONCILE, Healed, ReconciliationAt
from models.payload import Payload
from models.tickets.messages import ASSIGN, RUN_DUE_DEADLINES, At, TicketFacts

_T = TypeVar("_T")
_ONE_TRY = RetryPolicy(maximum_attempts=1)
_UNTIL_IT_WORKS = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1))
_ONE_DELIVERY = timedelta(seconds=TRY_SECONDS)


class NotDone(Exception):
    """The try on this worker failed. A cancellation is no failure: it is raised as it comes.

    ``error`` is the kind of the failure, for people. ``again_in`` is when the activity wants to be tried again, if it says so.
    """

    def __init__(self, failure: FailureError) -> None:
        super().__init__(str(failure))
        cause = failure.cause if isinstance(failure, ActivityError) else failure
        self.again_in = cause.next_retry_delay if isinstance(cause, ApplicationError) else None
        self.error = _kind_of(cause)


async def assign(request: At) -> TicketFacts:
    return await _write(ASSIGN, request, TicketFacts, "assign to the best available agent")


async def run_due_deadlines(request: At, summary: str) -> TicketFacts:
    return await _write(RUN_DUE_DEADLINES, request, TicketFacts, summary)


async def deliver(request: DeliveryRef, summary: str) -> str:
    """One try: return how the notification ended.

    Raises:
        NotDone: it has not ended.
    """
    return await _local(DELIVER, request, str, summary, one_try=_ONE_DELIVERY)


async def run_batch(request: JobRef, summary: str) -> JobFacts:
    return await _until_it_works(RUN_BATCH, request, JobFacts, summary, one_try=timedelta(minutes=2))


async def reconcile(request: ReconciliationAt) -> Healed:
    return await _write(RECONCILE, request, Healed, "look for what was lost")


async def _write(name: str, request: Payload, result: type[_T], summary: str) -> _T:
    """A short database write: at once on this worker, one event; if that fails, as a task of the server that is retried until it works.

    The second way costs six events more and shows the operator the last failure and the next try.
    """
    try:
        return await _local(name, request, result, summary)
    except NotDone:
        return await _until_it_works(name, request, result, summary, one_try=timedelta(seconds=30))


async def _local(name: str, request: Payload, result: type[_T], summary: str, *, one_try: timedelta = timedelta(seconds=5)) -> _T:
    try:
        done: _T = await workflow.execute_local_activity(
            name,
            request,
            result_type=result,
            start_to_close_timeout=one_try,
            retry_policy=_ONE_TRY,
            summary=summary,
        )
    except FailureError as failure:  # a local activity raises its bare cause, or an ActivityError when it timed out
        if is_cancelled_exception(failure):
            raise
        raise NotDone(failure) from failure
    return done


async def _until_it_works(name: str, request: Payload, result: type[_T], summary: str, *, one_try: timedelta) -> _T:
    done: _T = await workflow.execute_activity(
        name,
        request,
        result_type=result,
        start_to_close_timeout=one_try,
        retry_policy=_UNTIL_IT_WORKS,
        summary=summary,
    )
    return done


def _kind_of(cause: BaseException | None) -> str:
    """Of our own failures the words, which name nobody; of any other its type alone."""
    if isinstance(cause, ApplicationError):
        return cause.message if cause.type == NOT_YET else cause.type or "unknown"
    return type(cause).__name__
