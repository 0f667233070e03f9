"""Healing from outside, from a schedule: what was lost is sent again, and counted. In a healthy system there is nothing to heal."""

from temporalio import workflow

from models.outbox.messages import WORKFLOW, Healed, ReconciliationAt
from workflows import calls


@workflow.defn(name=WORKFLOW)
class ReconciliationWorkflow:
    @workflow.run
    async def run(self) -> Healed:
        return await calls.reconcile(ReconciliationAt(at=workflow.now()))
