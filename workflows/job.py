"""Work over many things, a batch at a time: a recalculation, its dry run, a check of every deadline, a replay of notifications."""

from temporalio import workflow

from models.jobs.messages import ADOPT, WORKFLOW, JobFacts, JobRef, called
from workflows import calls, ui


@workflow.defn(name=WORKFLOW)
class JobWorkflow:
    """How far it is stands in the job's row, written with each batch: a crash, a pause or a new run goes on from there."""

    @workflow.init
    def __init__(self, facts: JobFacts) -> None:
        self._facts = facts

    @workflow.run
    async def run(self, _facts: JobFacts) -> None:
        while not self._facts.has_ended:
            self._show()
            await workflow.wait_condition(lambda: not self._facts.is_paused)
            if not self._facts.has_ended:
                self._take(await self._batch())
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self._facts)
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.signal(name=ADOPT)
    def adopt(self, facts: JobFacts) -> None:
        if facts.version > self._facts.version:
            self._facts = facts

    @workflow.query
    def facts(self) -> JobFacts:
        return self._facts

    def _take(self, after: JobFacts) -> None:
        """What the batch returns; a person's word that came meanwhile is newer."""
        if after.version >= self._facts.version:
            self._facts = after

    async def _batch(self) -> JobFacts:
        facts = self._facts
        job = JobRef(merchant_id=facts.merchant_id, job_id=facts.job_id, request_id=facts.request_id)
        return await calls.run_batch(job, f"{facts.kind}: {facts.done} of {facts.total} {called(facts.kind)}s are done")

    def _show(self) -> None:
        workflow.set_current_details(ui.job_card(self._facts))
