"""The activities of a ticket's workflow: each is one verb in one transaction, and returns the facts that hold after it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.audit import SYSTEM, Change
from models.db.session import Database, TenantSession
from models.errors import NotFound
from models.outbox.relay import Relay
from models.sla.run_due import run_due
from models.tickets.aggregate import Recorded, TicketAggregate
from models.tickets.assign import assign_waiting
from models.tickets.messages import ASSIGN, RUN_DUE_DEADLINES, At, TicketFacts
from models.tickets.repository import lock, save_for_workflow, with_id

log = structlog.get_logger()
Verb = Callable[[TicketAggregate], Awaitable[Any]]


class TicketActivities:
    def __init__(self, database: Database, relay: Relay) -> None:
        self._database = database
        self._relay = relay

    @activity.defn(name=ASSIGN)
    async def assign(self, request: At) -> TicketFacts:
        return await self._change(request, assign_waiting)

    @activity.defn(name=RUN_DUE_DEADLINES)
    async def run_due(self, request: At) -> TicketFacts:
        return await self._change(request, run_due)

    async def _change(self, request: At, verb: Verb) -> TicketFacts:
        async with self._database.writing(request.merchant_id) as session:
            ticket = await _lock(session, request)
            await verb(ticket)
            facts = await save_for_workflow(ticket)
        self._relay.trigger()
        log.info(
            activity.info().activity_type,
            merchant_id=request.merchant_id,
            ticket_id=request.ticket_id,
            workflow_id=request.workflow_id,
            request_id=request.request_id,
            happened=[_told(event) for event in ticket.events],
            **_standing(facts),
        )
        return facts


def _told(event: Recorded) -> str:
    """Which of several: ``sla.breached resolution``, ``escalation.reassigned resolution level 2``."""
    metric, level = event.changes.get("metric"), event.changes.get("level")
    return " ".join([event.kind, *([metric] if metric else []), *([f"level {level}"] if level else [])])


def _standing(facts: TicketFacts) -> dict[str, object]:
    """How the ticket stands afterwards, for the log."""
    waits = facts.nobody_free
    return {
        "version": facts.version,
        "number": facts.number,
        "status": facts.status,
        "agent_id": facts.agent_id,
        "nobody_free": waits.model_dump(exclude={"at"}) if waits else None,
        "next_deadline_at": facts.deadlines[0].due_at.isoformat() if facts.deadlines else None,
    }


async def _lock(session: TenantSession, request: At) -> TicketAggregate:
    try:
        return await lock(session, with_id(request.ticket_id), Change(by=SYSTEM, at=_instant(request), request_id=request.request_id))
    except NotFound as missing:
        raise ApplicationError(missing.detail, type="NotFound", non_retryable=True) from missing


def _instant(request: At) -> datetime:
    """The workflow's instant; on a later try of the server's, that try's: after an outage all that is due by then is judged at once."""
    info = activity.info()
    return request.at if info.is_local else max(request.at, info.current_attempt_scheduled_time)
