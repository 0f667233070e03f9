"""A delivery batch on its way out: each of its notifications has five tries, then it is a dead letter."""

import asyncio

from temporalio import workflow

from models.notifications.messages import WORKFLOW, DeliveryBatch, DeliveryRef
from workflows import calls


@workflow.defn(name=WORKFLOW)
class DeliveryWorkflow:
    """The worker that has the workflow holds the conversations itself: no notification is a task that it would have to fetch."""

    @workflow.run
    async def run(self, batch: DeliveryBatch) -> list[str]:
        """Return how each notification ended, in the batch's order: its status, or not_found or failed."""
        return await asyncio.gather(*(self._deliver(notification, batch.retry_seconds) for notification in batch.notifications))

    async def _deliver(self, notification: DeliveryRef, retry_seconds: float) -> str:
        try:
            return await calls.deliver(notification, retry_seconds)
        except calls.NotDone:
            workflow.logger.error(  # the others of the batch go on, and the reconciliation starts another delivery
                "a notification could be neither delivered nor given up",
                extra={"merchant_id": notification.merchant_id, "notification_id": notification.notification_id},
            )
            return "failed"
