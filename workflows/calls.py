"""What the workflows have done, one typed function an activity; the constant that it names leads to the activity itself.

Its code, with tables and drivers, stays out of the workflows' reach (import-linter holds it).
"""

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from models.jobs.messages import RUN_BATCH, JobFacts, JobRef
from models.notifications.messages import DELIVER, TRY_SECONDS, WORKFLOW_SECONDS, DeliveryRef
from models.outbox.messages import RECONCILE, Healed, ReconciliationAt
from models.payload import Payload
from models.tickets.messages import ASSIGN, ENRICH, RUN_DUE_DEADLINES, At, TicketFacts

_T = TypeVar("_T")
_ONE_TRY = RetryPolicy(maximum_attempts=1)
_UNTIL_IT_WORKS = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1))
_ONE_DELIVERY, _ALL_DELIVERY = timedelta(seconds=TRY_SECONDS), timedelta(seconds=WORKFLOW_SECONDS)
_WAITED_ON_THE_WORKER = timedelta(seconds=2)
"""A longer pause between two tries is a timer of the server."""


class NotDone(Exception):
    """All tries on this worker failed. A cancellation is not one of them: it is raised as it comes."""


async def assign(request: At) -> TicketFacts:
    return await _write(ASSIGN, request, TicketFacts, "assign to the best available agent")


async def run_due_deadlines(request: At, summary: str) -> TicketFacts:
    return await _write(RUN_DUE_DEADLINES, request, TicketFacts, summary)


async def enrich(request: At) -> None:
    """Raises: NotDone."""
    await _local(ENRICH, request, type(None), "gather the reporter's earlier tickets")


async def deliver(request: DeliveryRef, retry_seconds: float) -> str:
    """Return how the notification ended. ``retry_seconds`` is the pause before the second try; each further one is four times as long.

    The tries have no limit here: the delivery log counts the five, and gives up in the transaction of the fifth. So neither a
    database that is away nor a worker that crashes uses one up. But they end in time: the reconciliation then starts another workflow, and
    there are never two that wait for the same notification.

    Raises:
        NotDone: it could be neither delivered nor given up.
    """
    tries = RetryPolicy(initial_interval=timedelta(seconds=retry_seconds), backoff_coefficient=4, maximum_interval=timedelta(hours=1))
    summary = f"notification {request.notification_id}: one conversation with the mail server"
    return await _local(DELIVER, request, str, summary, one_try=_ONE_DELIVERY, tries=tries, all_tries=_ALL_DELIVERY)


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


async def _local(  # noqa: PLR0913 - the last three have the defaults of a short write
    name: str,
    request: Payload,
    result: type[_T],
    summary: str,
    *,
    one_try: timedelta = timedelta(seconds=5),
    tries: RetryPolicy = _ONE_TRY,
    all_tries: timedelta | None = None,
) -> _T:
    try:
        done: _T = await workflow.execute_local_activity(
            name,
            request,
            result_type=result,
            start_to_close_timeout=one_try,
            schedule_to_close_timeout=all_tries,
            retry_policy=tries,
            local_retry_threshold=_WAITED_ON_THE_WORKER,
            summary=summary,
        )
    except FailureError as failure:  # a local activity raises its bare cause, or an ActivityError when it timed out
        if is_cancelled_exception(failure):
            raise
        raise NotDone from failure
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
