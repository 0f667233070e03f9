"""A mailbag on its way out: each of its letters has five tries, then it is a dead letter."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from models.notifications.messages import DELIVER, TRY_SECONDS, WORKFLOW, DeliveryBatch, DeliveryRef
from workflows.calls import NotDone, local

WAITED_ON_THE_WORKER = timedelta(seconds=2)
"""A longer pause between two tries is a timer of the engine."""


@workflow.defn(name=WORKFLOW)
class DeliveryWorkflow:
    """The worker that has the workflow holds the conversations itself: no letter is a task that it would have to fetch."""

    @workflow.run
    async def run(self, bag: DeliveryBatch) -> list[str]:
        """Return how each letter ended: sent, unknown or dead; in the bag's order."""
        return await asyncio.gather(*(self._deliver(letter, bag) for letter in bag.letters))

    async def _deliver(self, letter: DeliveryRef, bag: DeliveryBatch) -> str:
        summary = f"letter {letter.notification_id}: one conversation with the mail server"
        one_try = timedelta(seconds=TRY_SECONDS)
        try:
            return await local(DELIVER, letter, str, summary, one_try=one_try, tries=_tries(bag), waited_here=WAITED_ON_THE_WORKER)
        except NotDone:
            workflow.logger.error("a letter can't be delivered and can't be given up either")  # its neighbours go on
            return "failed"


def _tries(bag: DeliveryBatch) -> RetryPolicy:
    """Without a limit of its own: the delivery log counts the five tries, and gives the letter up in the transaction of the fifth.

    So neither a database that is away nor a worker that dies uses one up.
    """
    return RetryPolicy(
        initial_interval=timedelta(seconds=bag.retry_seconds),
        backoff_coefficient=4,
        maximum_interval=timedelta(hours=1),
    )
