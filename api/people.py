"""Who the caller is, and who works here."""

from datetime import datetime
from typing import Literal, Self

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import model_validator
from sqlmodel import col

from api.auth.caller import Caller, allow
from api.http.pagination import Order, Page, Paged
from api.http.path import AgentId
from api.http.responses import Id, ResponseBody, respond
from api.http.transaction import CurrentCaller, CurrentTransaction, Session, TransactionRoute
from api.tickets.requests import Instant
from models.db.session import TenantSession
from models.errors import Forbidden, NotFound
from models.people.directory import agent_with_sub, set_availability
from models.people.permissions import Permission, Scope, granted
from models.people.roles import Role
from models.people.tables import Agent
from models.tickets.assignment import Availability
from models.value import Value

router = APIRouter(tags=["people"], route_class=TransactionRoute)


class SetAvailability(Value):
    state: Availability
    until: Instant | None = None

    @model_validator(mode="after")
    def _until_is_of_away(self) -> Self:
        if self.until is not None and self.state is Availability.AVAILABLE:
            raise ValueError("only away has an end")
        return self


class AgentResponse(ResponseBody):
    id: Id
    sub: str
    name: str
    email: str
    role: Role
    team_id: Id
    capacity: int
    availability: Availability
    away_until: datetime | None


class GrantResponse(ResponseBody):
    """``own``: on what is theirs, for a token of some organizers on what is about their tickets; ``any``: on all that the token reaches."""

    permission: Permission
    scope: Literal["own", "any"]


class MeResponse(ResponseBody):
    """``organizerIds`` is null for all of the merchant's. ``permissions`` are those of the token: what is not listed is refused."""

    sub: str
    name: str | None
    email: str | None
    is_email_verified: bool
    roles: list[Role]
    merchant_id: Id
    organizer_ids: list[Id] | None
    agent_id: Id | None
    permissions: list[GrantResponse]


@router.get("/me", response_model=MeResponse, dependencies=[allow(Permission.READ_SELF)])
async def get_me(session: Session, caller: CurrentCaller) -> Response:
    """Who the token is, and what it may do."""
    claims = caller.claims
    agent = await agent_with_sub(session, claims.sub) if caller.viewer.is_staff else None
    me = MeResponse(
        **claims.model_dump(include={"sub", "name", "email", "organizer_ids"}),
        is_email_verified=claims.verified_email is not None,
        roles=sorted(claims.roles),
        merchant_id=caller.merchant_id,
        agent_id=agent.id if agent else None,
        permissions=_grants(caller),
    )
    return respond(me)


@router.get("/agents", response_model=Page[AgentResponse], dependencies=[allow(Permission.READ_AGENTS)])
async def list_agents(session: Session, pager: Paged) -> Response:
    """Everyone who works on the merchant's tickets."""
    agents = sa.select(Agent).where(col(Agent.merchant_id) == session.merchant_id)
    rows, end = await pager.page(session, agents, Order(Agent.id, Agent.id))
    return pager.respond([AgentResponse.model_validate(row) for row in rows], end)


@router.get("/agents/{agent_id}", response_model=AgentResponse, dependencies=[allow(Permission.READ_AGENTS)])
async def get_agent(agent_id: AgentId, session: Session) -> Response:
    """One agent."""
    return respond(AgentResponse.model_validate(await _agent(session, agent_id)))


@router.put("/agents/{agent_id}/availability", response_model=AgentResponse, dependencies=[allow(Permission.SET_AVAILABILITY)])
async def put_availability(agent_id: AgentId, body: SetAvailability, transaction: CurrentTransaction) -> Response:
    """Agents say it of themselves; a lead or an admin of anybody. An agent who comes back picks up what waits in the queue."""
    session, caller, change = transaction.session, transaction.caller, await transaction.change()
    await _agent(session, agent_id)
    if caller.may(Permission.SET_AVAILABILITY) is Scope.OWN and change.by.id != agent_id:
        raise Forbidden("You may say this of yourself only.")
    changed = await set_availability(session, agent_id, body.state, body.until, change)
    return respond(AgentResponse.model_validate(changed))


def _grants(caller: Caller) -> list[GrantResponse]:
    reach = granted(caller.claims.roles, caller.claims.organizer_ids)
    return [GrantResponse(permission=each, scope="any" if scope is Scope.ANY else "own") for each, scope in reach.items()]


async def _agent(session: TenantSession, agent_id: int) -> Agent:
    agent = await session.get(Agent, (session.merchant_id, agent_id))
    if agent is None:
        raise NotFound("agent")
    return agent
