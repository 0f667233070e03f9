"""The process behind a ticket: from its intake until nothing is left to wait for."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow

from models.tickets.messages import ADOPT, ASSIGN, ENRICH, RUN_DUE_DEADLINES, WORKFLOW, At, TicketFacts, TicketLife
from models.tickets.search_attributes import LEVEL, SLA, STATUS
from workflows.calls import NotDone, act, local
from workflows.ui import card

LOOK_AGAIN = timedelta(seconds=30)
"""How long to wait when a deadline stays due although it was acted on: the way out of a defect, not part of the process."""


@workflow.defn(name=WORKFLOW)
class TicketWorkflow:
    @workflow.init
    def __init__(self, life: TicketLife) -> None:
        self._life = life
        self._searchable = life.facts

    @workflow.run
    async def run(self, _life: TicketLife) -> None:
        await self._take_in()
        while not self._facts.has_ended:
            await self._news_or_next_deadline()
            await self._run_due_deadlines()
            await self._continue_as_new_if_long()
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.signal(name=ADOPT)
    def adopt(self, facts: TicketFacts) -> None:
        """Take the newer facts. A repeated, late or overtaken signal changes nothing."""
        if facts.version > self._facts.version:
            self._life = self._life.model_copy(update={"facts": facts})
            self._show()

    @workflow.query
    def facts(self) -> TicketFacts:
        return self._facts

    @property
    def _facts(self) -> TicketFacts:
        return self._life.facts

    async def _take_in(self) -> None:
        """Enrich the context and find somebody to work on it, side by side."""
        self._show()
        if not self._life.is_taken_in and not self._facts.has_ended:
            await asyncio.gather(self._assign(), self._enrich())
            self._life = self._life.model_copy(update={"is_taken_in": True})

    async def _assign(self) -> None:
        self.adopt(await act(ASSIGN, self._as_of_now(), TicketFacts, "assign to the best available agent"))

    async def _enrich(self) -> None:
        """Nice to have: what can't be gathered at once is left out."""
        try:
            await local(ENRICH, self._as_of_now(), type(None), "gather the reporter's earlier tickets")
        except NotDone:
            workflow.logger.warning("the ticket's context could not be gathered")

    async def _news_or_next_deadline(self) -> None:
        """One timer, for the nearest deadline. One that moves later or vanishes is left to fire: that costs less than to re-arm it."""
        armed = self._next_due()
        if armed is not None and armed <= workflow.now():
            return
        timer = asyncio.create_task(workflow.sleep(armed - workflow.now(), summary=self._timer_summary())) if armed else None
        await workflow.wait_condition(lambda: self._needs_attention(armed) or (timer is not None and timer.done()))
        if timer is not None and not self._facts.has_ended:  # the end of the workflow ends it too, at no event's cost
            timer.cancel()

    async def _run_due_deadlines(self) -> None:
        due = [deadline for deadline in self._facts.deadlines if deadline.due_at <= workflow.now()]
        if not due or self._facts.has_ended:
            return
        version = self._facts.version
        self.adopt(await act(RUN_DUE_DEADLINES, self._as_of_now(), TicketFacts, ", ".join(f"{d.kind} {d.key}".strip() for d in due)))
        if self._facts.version == version:
            workflow.logger.error("a deadline stays due although it was acted on")
            await self._wait_for_newer(version)

    async def _wait_for_newer(self, version: int) -> None:
        try:
            await workflow.wait_condition(lambda: self._facts.version > version, timeout=LOOK_AGAIN, timeout_summary="look again")
        except TimeoutError:
            return

    async def _continue_as_new_if_long(self) -> None:
        if workflow.info().is_continue_as_new_suggested() and not self._facts.has_ended:
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(self._life)

    def _needs_attention(self, armed: datetime | None) -> bool:
        due = self._next_due()
        is_earlier = due is not None and (armed is None or due < armed)
        return self._facts.has_ended or is_earlier or workflow.info().is_continue_as_new_suggested()

    def _next_due(self) -> datetime | None:
        return self._facts.deadlines[0].due_at if self._facts.deadlines else None

    def _timer_summary(self) -> str | None:
        nearest = self._facts.deadlines[0] if self._facts.deadlines else None
        return f"{nearest.kind} {nearest.key}".strip() if nearest else None

    def _as_of_now(self) -> At:
        facts = self._facts
        return At(merchant_id=facts.merchant_id, ticket_id=facts.ticket_id, at=workflow.now(), request_id=facts.request_id)

    def _show(self) -> None:
        """Let an operator read the ticket in the Temporal UI.

        An ended workflow says by itself that it has ended: no upsert is spent on it.
        """
        facts = self._facts
        workflow.set_current_details(card(facts))
        if facts.has_ended or _searched(facts) == _searched(self._searchable):
            return
        self._searchable = facts
        sla = facts.sla_status.value if facts.sla_status else "none"
        workflow.upsert_search_attributes(
            [STATUS.value_set(facts.status.value), LEVEL.value_set(facts.escalation_level), SLA.value_set(sla)],
        )


def _searched(facts: TicketFacts) -> tuple[object, ...]:
    return facts.status, facts.escalation_level, facts.sla_status
