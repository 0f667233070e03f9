"""Who the caller is, and who works here."""

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlmodel import col

from api.auth.caller import LEADING, StaffCaller
from api.http.pagination import Order, Page, Paged
from api.http.path import AgentId
from api.http.transaction import InUnit, Work, respond
from api.tickets.requests import SetAvailability
from api.tickets.responses import AgentView, MeView
from models.errors import Forbidden, NotFound
from models.people.directory import agent_with_sub, set_availability
from models.people.tables import Agent

router = APIRouter(tags=["people"])


@router.get("/me", response_model=MeView)
async def me(unit: InUnit) -> Response:
    claims = unit.caller.claims
    async with unit.reading() as session:
        agent = await agent_with_sub(session, claims.sub) if unit.caller.is_staff else None
    shown = claims.model_dump(include={"sub", "name", "email"})
    return respond(MeView(**shown, roles=sorted(claims.roles), merchant_id=unit.caller.merchant_id, agent_id=agent.id if agent else None))


@router.get("/agents", response_model=Page[AgentView])
async def list_agents(unit: InUnit, _staff: StaffCaller, pager: Paged) -> Response:
    async with unit.reading() as session:
        mine = sa.select(Agent).where(col(Agent.merchant_id) == session.merchant_id)
        rows, end = await pager.page(session, mine, Order(Agent.id, Agent.id))
    return pager.respond([AgentView.model_validate(row) for row in rows], end)


@router.get("/agents/{agent_id}", response_model=AgentView)
async def get_agent(agent_id: AgentId, unit: InUnit, _staff: StaffCaller) -> Response:
    async with unit.reading() as session:
        agent = await session.get(Agent, (session.merchant_id, agent_id))
    if agent is None:
        raise NotFound("agent")
    return respond(AgentView.model_validate(agent))


@router.put("/agents/{agent_id}/availability", response_model=AgentView)
async def put_availability(agent_id: AgentId, body: SetAvailability, unit: InUnit, _staff: StaffCaller) -> Response:
    """An agent says it of himself, a lead or an admin of anybody. Who comes back picks up what waits in the queue."""

    async def work(work: Work) -> Response:
        agent = await work.session.get(Agent, (work.session.merchant_id, agent_id))
        if agent is None:
            raise NotFound("agent")
        if work.change.by.id != agent_id and unit.caller.claims.roles.isdisjoint(LEADING):
            raise Forbidden("An agent says this of himself only.")
        changed = await set_availability(work.session, agent_id, body.state, body.until, work.change)
        return respond(AgentView.model_validate(changed))

    return await unit.write(work)
