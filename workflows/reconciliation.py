"""Healing from outside, from a schedule: what was lost is sent again, and counted. In a healthy system there is nothing to heal."""

from temporalio import workflow

from models.outbox.messages import RECONCILE, WORKFLOW, Healed, ReconciliationAt
from workflows.calls import act


@workflow.defn(name=WORKFLOW)
class ReconciliationWorkflow:
    @workflow.run
    async def run(self) -> Healed:
        return await act(RECONCILE, ReconciliationAt(at=workflow.now()), Healed, "look for what was lost")
