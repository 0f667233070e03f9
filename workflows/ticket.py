"""The process behind a ticket: from its intake until nothing is left to wait for."""

import asyncio
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from models.sla.deadlines import Deadline
from models.tickets.messages import ADOPT, SHOWN, WORKFLOW, At, MissedTarget, TakenRung, TicketFacts, TicketLife
from models.tickets.search_attributes import NEXT_DUE, changing, updates
from workflows import calls, ui

LOOK_AGAIN = timedelta(seconds=30)
"""How long to wait when a deadline stays due although it was acted on: a defect, or a deadline that only a newer release knows."""


@workflow.defn(name=WORKFLOW)
class TicketWorkflow:
    @workflow.init
    def __init__(self, life: TicketLife) -> None:
        self._life = life
        self._searchable = changing(life.facts)

    @workflow.run
    async def run(self, _life: TicketLife) -> str:
        """Return the status in which it ended."""
        await self._take_in()
        while not self._facts.has_ended:
            await self._news_or_next_deadline()
            await self._run_due_deadlines()
            await self._continue_as_new_if_long()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ui.end_of(self._facts)

    @workflow.signal(name=ADOPT)
    def adopt(self, facts: TicketFacts) -> None:
        """Take the newer facts. A repeated, late or overtaken signal changes nothing."""
        if facts.version > self._facts.version:
            self._know(facts.model_copy(update={"deadlines": _together(facts, self._facts), **_passed(facts, self._facts)}))

    @workflow.query
    def facts(self) -> TicketFacts:
        return self._facts

    @property
    def _facts(self) -> TicketFacts:
        return self._life.facts

    def _know(self, facts: TicketFacts) -> None:
        self._life = self._life.model_copy(update={"facts": facts})
        self._show()

    async def _take_in(self) -> None:
        """Assign the ticket, once."""
        self._show()
        if not self._life.is_taken_in and not self._facts.has_ended:
            await self._assign()
            self._life = self._life.model_copy(update={"is_taken_in": True})

    async def _assign(self) -> None:
        after = await calls.assign(self._as_of_now())
        self.adopt(after)
        if after.nobody_free:  # that changes no row, so it has no version
            self._know(self._facts.model_copy(update={"nobody_free": after.nobody_free}))

    async def _news_or_next_deadline(self) -> None:
        """One timer, for the nearest deadline. One that moves later or vanishes is left to fire: that costs less than to re-arm it."""
        armed = self._next_due()
        if armed is not None and armed <= workflow.now():
            return
        next_ones = [deadline for deadline in self._facts.deadlines if deadline.due_at == armed]
        timer = asyncio.create_task(workflow.sleep(armed - workflow.now(), summary=ui.named(next_ones))) if armed else None
        await workflow.wait_condition(lambda: self._needs_attention(armed) or (timer is not None and timer.done()))
        if timer is not None and timer.done():
            self._show(has_woken=True)
        if timer is not None and not self._facts.has_ended:  # the end of the workflow ends it too, at no event's cost
            timer.cancel()

    async def _run_due_deadlines(self) -> None:
        due = [deadline for deadline in self._facts.deadlines if deadline.due_at <= workflow.now()]
        if not due or self._facts.has_ended:
            return
        self.adopt(await calls.run_due_deadlines(self._as_of_now(), ui.named(due)))
        if any(deadline in due for deadline in self._facts.deadlines):
            self._log_as_stuck(due)
            await self._wait_for_news(due)

    def _log_as_stuck(self, due: list[Deadline]) -> None:
        facts = self._facts
        about = {"merchant_id": facts.merchant_id, "ticket_id": facts.ticket_id, "request_id": facts.request_id, "due": ui.named(due)}
        workflow.logger.error(f"a deadline stays due although it was acted on; tried again within {LOOK_AGAIN.seconds} s", extra=about)

    async def _wait_for_news(self, due: list[Deadline]) -> None:
        """Until there is news, the next deadline that is not one of ``due``, or half a minute has passed."""
        version, rest = self._facts.version, (deadline.due_at for deadline in self._facts.deadlines if deadline not in due)
        timeout = min(LOOK_AGAIN, max(min(rest, default=datetime.max.replace(tzinfo=UTC)) - workflow.now(), timedelta()))
        try:
            await workflow.wait_condition(lambda: self._facts.version > version, timeout=timeout, timeout_summary="look again")
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

    def _as_of_now(self) -> At:
        facts = self._facts
        return At(merchant_id=facts.merchant_id, ticket_id=facts.ticket_id, at=workflow.now(), request_id=facts.request_id)

    def _show(self, *, has_woken: bool = False) -> None:
        """Let an operator read the ticket in the Temporal UI, also after its end."""
        workflow.set_current_details(ui.card(self._facts))
        found = changing(self._facts)
        changed = {key for key, value in found.items() if value != self._searchable[key]}
        if changed and self._follows(changed, has_woken=has_woken):
            workflow.upsert_search_attributes(updates(self._searchable, found))
            self._searchable = found

    def _follows(self, changed: AbstractSet[SearchAttributeKey[Any]], *, has_woken: bool) -> bool:
        """A due that moves later or vanishes is told with what else changes, or when a timer has fired: like the timer, it may be early."""
        due, known = self._facts.next_due_at, self._searchable[NEXT_DUE]
        is_earlier = due is not None and (known is None or due < known)
        return changed != {NEXT_DUE} or is_earlier or (has_woken and not self._is_due())

    def _is_due(self) -> bool:
        """It is acted on in a moment, and told with what that changes."""
        due = self._next_due()
        return due is not None and due <= workflow.now()


def _together(newer: TicketFacts, older: TicketFacts) -> tuple[Deadline, ...]:
    """The newer facts' deadlines, and of the older ones those of a kind that the writer of the newer does not know.

    While a release is rolled out, an older process must not drop what a newer one has to do.
    """
    if newer.has_ended or not newer.deadline_kinds:
        return newer.deadlines
    kept = [deadline for deadline in older.deadlines if deadline.kind not in newer.deadline_kinds]
    return tuple(sorted([*newer.deadlines, *kept], key=lambda deadline: deadline.due_at)) if kept else newer.deadlines


def _passed(newer: TicketFacts, older: TicketFacts) -> dict[str, object]:
    """What has passed is not forgotten when its rows are not read any more, as those of an earlier cycle."""
    missed: set[MissedTarget] = {*older.missed, *newer.missed}
    rungs: set[TakenRung] = {*older.rungs, *newer.rungs}
    return {
        "missed": tuple(sorted(missed, key=lambda each: (each.since, each.metric))[-SHOWN:]),
        "rungs": tuple(sorted(rungs, key=lambda each: (each.taken_at, each.level))[-SHOWN:]),
        "nobody_free": newer.nobody_free or (None if newer.is_assigned else older.nobody_free),
    }
