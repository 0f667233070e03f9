"""One notification on its way out: five tries, then it is a dead letter."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from models.messages.delivery import BURY, DELIVER, MAXIMUM_TRIES, WORKFLOW, Burial, Delivery
from workflows.act import act


@workflow.defn(name=WORKFLOW)
class DeliveryWorkflow:
    @workflow.run
    async def run(self, delivery: Delivery) -> str:
        """Return the outcome: sent, unknown or dead."""
        try:
            outcome: str = await workflow.execute_activity(
                DELIVER,
                delivery,
                result_type=str,
                start_to_close_timeout=timedelta(minutes=2),
                retry_policy=_five_tries(delivery),
                summary="one conversation with the mail server",
            )
        except ActivityError:
            burial = Burial(
                merchant_id=delivery.merchant_id,
                notification_id=delivery.notification_id,
                round=delivery.round,
                at=workflow.now(),
            )
            outcome = await act(BURY, burial, str, "all tries failed: make it a dead letter")
        return outcome


def _five_tries(delivery: Delivery) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=delivery.retry_seconds),
        backoff_coefficient=4,
        maximum_interval=timedelta(hours=1),
        maximum_attempts=MAXIMUM_TRIES,
    )
