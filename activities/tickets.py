"""What the ticket's workflow has done: each is one operation in one transaction, and answers with the facts that hold after it."""

import sqlalchemy as sa
from sqlalchemy import Select
from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.messages.ticket import ASSIGN, ENRICH, MEET_DEADLINES, At, TicketFacts
from models.operations.assign import assign_automatically
from models.operations.change import SYSTEM, Change
from models.operations.changing import answer, lock
from models.operations.enrich import enrich
from models.operations.errors import NotFound
from models.operations.meet_deadlines import meet_deadlines
from models.relay import Relay
from models.tables.session import Database
from models.tables.ticket import Ticket


class TicketActivities:
    def __init__(self, database: Database, relay: Relay) -> None:
        self._database = database
        self._relay = relay

    @activity.defn(name=ASSIGN)
    async def assign(self, request: At) -> TicketFacts:
        async with self._database.writing(request.merchant_id) as session:
            case = await self._lock(session, request)
            await assign_automatically(case)
            facts = await answer(case)
        self._relay.wake()
        return facts

    @activity.defn(name=MEET_DEADLINES)
    async def meet_deadlines(self, request: At) -> TicketFacts:
        async with self._database.writing(request.merchant_id) as session:
            case = await self._lock(session, request)
            await meet_deadlines(case)
            facts = await answer(case)
        self._relay.wake()
        return facts

    @activity.defn(name=ENRICH)
    async def enrich(self, request: At) -> None:
        async with self._database.reading(request.merchant_id) as session:
            await enrich(session, request.ticket_id, request.at)

    async def _lock(self, session, request):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        tickets: Select[tuple[Ticket]] = sa.select(Ticket).where(Ticket.id == request.ticket_id)  # type: ignore[arg-type]
        try:
            return await lock(session, tickets, Change(by=SYSTEM, at=request.at, request_id=activity.info().workflow_run_id))
        except NotFound as missing:
            raise ApplicationError(missing.detail, type="NotFound", non_retryable=True) from missing
