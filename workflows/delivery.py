"""One notification on its way out: five tries, then it is a dead letter."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from models.messages.delivery import BURY, DELIVER, MAXIMUM_TRIES, WORKFLOW, Burial, Delivery
from workflows.act import NotDone, act, local

WAITED_ON_THE_WORKER = timedelta(seconds=2)
"""A longer pause between two tries is a timer of the engine."""


@workflow.defn(name=WORKFLOW)
class DeliveryWorkflow:
    """The worker that has the workflow holds the conversation itself: half the engine's work of an activity that it would have to fetch."""

    @workflow.run
    async def run(self, delivery: Delivery) -> str:
        """Return the outcome: sent, unknown or dead."""
        try:
            return await local(
                DELIVER,
                delivery,
                str,
                "one conversation with the mail server",
                one_try=timedelta(minutes=2),
                tries=_five_tries(delivery),
                waited_here=WAITED_ON_THE_WORKER,
            )
        except NotDone:
            burial = Burial(
                merchant_id=delivery.merchant_id,
                notification_id=delivery.notification_id,
                round=delivery.round,
                at=workflow.now(),
            )
            return await act(BURY, burial, str, "all tries failed: make it a dead letter")


def _five_tries(delivery: Delivery) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=delivery.retry_seconds),
        backoff_coefficient=4,
        maximum_interval=timedelta(hours=1),
        maximum_attempts=MAXIMUM_TRIES,
    )
