"""A delivery batch on its way out: each of its notifications has five tries, then it is a dead letter."""

import asyncio
from datetime import timedelta

from temporalio import workflow

from models.notifications.messages import WORKFLOW, WORKFLOW_SECONDS, DeliveryBatch, DeliveryRef
from models.outbox.description import name_of, shortened
from workflows import calls, ui

_LONGEST_PAUSE = timedelta(hours=1)


@workflow.defn(name=WORKFLOW)
class DeliveryWorkflow:
    """The worker that has the workflow holds the conversations itself: no notification is a task that it would have to fetch.

    The pauses are the workflow's own, so that an operator reads what it waits for.
    """

    @workflow.init
    def __init__(self, batch: DeliveryBatch) -> None:
        self._states = dict.fromkeys(batch.notifications, "on its way")

    @workflow.run
    async def run(self, batch: DeliveryBatch) -> list[str]:
        """Return how each notification ended, in the batch's order: its status, or not_found or failed."""
        return await asyncio.gather(*(self._deliver(notification, batch.retry_seconds) for notification in batch.notifications))

    async def _deliver(self, ref: DeliveryRef, retry_seconds: float) -> str:
        """``retry_seconds`` is the pause before the second try; each further one is four times as long.

        The tries have no limit here: the delivery log counts the five, and gives up in the transaction of the fifth. So neither a
        database that is away nor a worker that crashes uses one up. But they end in time: the reconciliation then starts another workflow,
        and there are never two that wait for the same notification.
        """
        until, failed = workflow.now() + timedelta(seconds=WORKFLOW_SECONDS), 0
        while True:
            try:
                return self._show(ref, await calls.deliver(ref, shortened(f"{name_of(ref)}: try {failed + 1}")))
            except calls.NotDone as not_done:
                failed += 1
                pause = not_done.again_in or min(timedelta(seconds=retry_seconds) * 4.0 ** (min(failed, 10) - 1), _LONGEST_PAUSE)
                if workflow.now() + pause > until:
                    return self._give_up(ref)
                waits = ui.pause_of(failed, not_done.error, workflow.now() + pause)
                self._show(ref, waits)
                await workflow.sleep(pause, summary=shortened(f"{name_of(ref)}: {waits}"))

    def _give_up(self, ref: DeliveryRef) -> str:
        """The others of the batch go on, and the reconciliation starts another delivery."""
        about = {"merchant_id": ref.merchant_id, "ticket_id": ref.ticket_id, "request_id": ref.request_id}
        workflow.logger.error(
            "a notification could be neither delivered nor given up", extra={**about, "notification_id": ref.notification_id}
        )
        return self._show(ref, "failed")

    def _show(self, ref: DeliveryRef, state: str) -> str:
        self._states[ref] = state
        workflow.set_current_details(ui.delivery_card(self._states.items()))
        return state
