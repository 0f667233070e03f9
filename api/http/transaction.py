"""One request's work: a transaction for the caller's merchant, his idempotency key, and the relay woken after the commit."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import ADMINS, AnyCaller, Caller
from api.context import Context
from api.http.idempotency import Once
from api.tickets.present import present
from api.tickets.visibility import find, readable, readable_with_deleted
from models.audit import Change
from models.db.session import TenantSession
from models.errors import Forbidden, PreconditionFailed, PreconditionRequired
from models.tickets.aggregate import TicketAggregate
from models.tickets.repository import lock, lock_both, save
from models.tickets.tables import Ticket


class Work:
    """Inside the transaction: who changes what, and when."""

    def __init__(self, session: TenantSession, caller: Caller, change: Change, if_match: str | None) -> None:
        self.session = session
        self.caller = caller
        self.change = change
        self._if_match = if_match

    def case(self, ticket_id: int) -> AbstractAsyncContextManager[TicketAggregate]:
        """The ticket, if the caller may see it, locked; written at the end.

        Raises:
            NotFound: he may not. PreconditionFailed: his If-Match is not the current version.
        """
        return self._one(readable(self.caller).where(col(Ticket.id) == ticket_id))

    def case_even_deleted(self, ticket_id: int) -> AbstractAsyncContextManager[TicketAggregate]:
        """The same, whether it is deleted or not."""
        return self._one(readable_with_deleted(self.caller).where(col(Ticket.id) == ticket_id))

    @asynccontextmanager
    async def _one(self, tickets: Select[Ticket]) -> AsyncIterator[TicketAggregate]:
        case = await lock(self.session, tickets, self.change)
        await self._require_match(case.row)
        yield case
        await save(case)

    @asynccontextmanager
    async def both(self, ticket_id: int, other_id: int) -> AsyncIterator[list[TicketAggregate]]:
        """The same for two tickets; If-Match is about the first. Of the second an admin finds a deleted one too."""
        is_there = col(Ticket.deleted_at).is_(None)
        tickets = readable_with_deleted(self.caller)
        if self.caller.claims.roles.isdisjoint(ADMINS):
            tickets = tickets.where(is_there)
        else:
            tickets = tickets.where(is_there | (col(Ticket.id) == other_id))
        cases = await lock_both(self.session, tickets, (ticket_id, other_id), self.change)
        await self._require_match(cases[0].row)
        yield cases
        await save(*cases)

    def is_stale(self, version: int) -> bool:
        """Whether the caller's If-Match, if he sent one, is for another version than this, the current one."""
        return self._if_match is not None and not matches(self._if_match, etag(version))

    async def ticket(self, case: TicketAggregate, status: int = 200) -> Response:
        """The ticket as it now stands, with its ETag. To be asked for after the case was written."""
        return await ticket_answer(self.session, self.caller, case.row, status)

    async def _require_match(self, ticket: Ticket) -> None:
        if self.is_stale(ticket.version):
            current = (await present(self.session, self.caller, [ticket]))[0]
            raise PreconditionFailed(current=current.model_dump(mode="json", by_alias=True))


class Unit:
    def __init__(self, request: Request, caller: AnyCaller) -> None:
        self.request = request
        self.caller = caller
        self.context: Context = request.app.state.context

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[TenantSession]:
        async with self.context.database.reading(self.caller.merchant_id) as session:
            yield session

    @asynccontextmanager
    async def ticket(self, ticket_id: int) -> AsyncIterator[tuple[TenantSession, Ticket]]:
        """A ticket to read about."""
        async with self.reading() as session:
            yield session, await find(session, self.caller, ticket_id)

    async def write(self, work: Callable[[Work], Awaitable[Response]]) -> Response:
        """Do ``work`` in one transaction, at most once for each Idempotency-Key."""
        once, now = await self._once(), self.context.now()
        async with self.context.database.writing(self.caller.merchant_id) as session:
            if once and (respond := await once.stored(session, now)):
                return respond
            change = Change(by=await self.caller.actor(session), at=now, request_id=self.request.scope["request_id"])
            respond = await work(Work(session, self.caller, change, self.request.headers.get("if-match")))
            if once:
                await once.keep(session, respond, now)
        self.context.trigger_relay()
        return respond

    async def require_staff(self, ticket_id: int) -> None:
        """A reporter's own ticket is there, but not his to change (403); another's is not there at all (404)."""
        if not self.caller.is_staff:
            async with self.ticket(ticket_id):
                raise Forbidden

    def require_if_match(self) -> None:
        if "if-match" not in self.request.headers:
            raise PreconditionRequired("Send the ETag of the ticket that you saw as If-Match.")

    async def _once(self) -> Once | None:
        key = self.request.headers.get("idempotency-key")
        if key is None or self.request.method != "POST":
            return None
        return Once(key, self.caller.merchant_id, self.caller.claims.sub, self.request, await self.request.body())


async def ticket_answer(session: TenantSession, caller: Caller, ticket: Ticket, status: int = 200) -> Response:
    view = (await present(session, caller, [ticket]))[0]
    headers = {"ETag": etag(ticket.version)}
    if status == 201:
        headers["Location"] = f"/v1/api/helpdesk/tickets/{ticket.id}"
    return respond(view, status, headers)


def respond(view: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(view.model_dump_json(by_alias=True), status, headers=dict(headers or {}), media_type="application/json")


def etag(version: int) -> str:
    return f'"{version}"'


def matches(if_match: str, tag: str) -> bool:
    """RFC 9110, 13.1.1: any of the list, compared strongly; ``*`` is any version."""
    given = [each.strip() for each in if_match.split(",")]
    return "*" in given or tag in given


async def _unit(request: Request, caller: AnyCaller) -> Unit:
    """Async although nothing waits here: FastAPI sends a plain class or function through a thread pool."""
    return Unit(request, caller)


InUnit = Annotated[Unit, Depends(_unit)]
