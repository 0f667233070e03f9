"""Who works here: agents join, change, say when they are away, and leave."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import EmailStr, Field, StringConstraints, model_validator
from sqlmodel import col

from api.auth.caller import allow
from api.http.headers import IfMatch, NeededIfMatch
from api.http.pagination import After, Limit, Order, Page, Paged
from api.http.path import AgentId
from api.http.responses import Id, location
from api.http.transaction import CurrentChange, CurrentTransaction, Now, Session, TransactionRoute
from api.http.versions import Versioned, require_match, respond_versioned
from api.jobs import JobResponse, respond_begun
from api.tickets.requests import Id as IdIn
from api.tickets.requests import Instant, Name, Skill, Skills
from models.db.session import TenantSession
from models.errors import Forbidden, NotFound
from models.people.agents import NewAgent, add_agent, begin_handover, edit_agent, held_agent, retire_agent
from models.people.directory import set_availability
from models.people.permissions import Permission, Scope
from models.people.roles import Role
from models.people.tables import Agent
from models.sla.configuration import hold_configuration
from models.tickets.assignment import Availability
from models.tickets.filter import Handed
from models.value import Value

router = APIRouter(tags=["people"], route_class=TransactionRoute)
AgentRole = Literal[Role.AGENT, Role.SENIOR, Role.LEAD]
Capacity = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Sub = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class AgentBody(NewAgent):
    """``sub`` is the subject of their tokens, ``capacity`` how many open tickets they are given at the most.

    They are given tickets of categories whose ``skills`` they all have, in the hours of the calendar ``shiftCalendarId``, if one is named.
    """

    sub: Sub
    name: Name
    email: EmailStr
    role: AgentRole
    team_id: IdIn
    capacity: Capacity = 20
    skills: Skills = ()
    shift_calendar_id: IdIn | None = None


class EditAgent(Value):
    """A JSON merge patch (RFC 7396): what is left out stays. The ``sub`` stays, too. Without ``shiftCalendarId`` (null) they are on shift
    at any time."""

    name: Name = ""
    email: EmailStr = ""
    role: AgentRole = Role.AGENT
    team_id: IdIn = 0
    capacity: Capacity = 0
    skills: Skills = ()
    shift_calendar_id: IdIn | None = None

    @property
    def changes(self) -> dict[str, Any]:
        wanted = {name: getattr(self, name) for name in self.model_fields_set}
        return wanted | {"skills": list(self.skills)} if "skills" in wanted else wanted


class AgentQuery(Value):
    """The pager reads the last two by itself."""

    team_id: IdIn | None = None
    role: AgentRole | None = None
    availability: Availability | None = None
    skill: Skill | None = None
    limit: Limit = 50
    after: After = None

    def conditions(self, now: datetime) -> list[sa.ColumnElement[bool]]:
        """Away ends by itself at ``away_until``."""
        columns = {"team_id": col(Agent.team_id), "role": col(Agent.role)}
        found = [column == getattr(self, name) for name, column in columns.items() if getattr(self, name) is not None]
        if self.availability is not None:
            is_away = (col(Agent.availability) == Availability.AWAY) & (col(Agent.away_until).is_(None) | (col(Agent.away_until) > now))
            found.append(is_away if self.availability is Availability.AWAY else ~is_away)
        return [*found, sa.literal(self.skill) == sa.any_(col(Agent.skills))] if self.skill else found


class SetAvailability(Value):
    state: Availability
    until: Instant | None = None

    @model_validator(mode="after")
    def _until_is_of_away(self) -> Self:
        if self.until is not None and self.state is Availability.AVAILABLE:
            raise ValueError("only away has an end")
        return self


class HandOver(Value):
    """``at_risk``: the tickets that are late, or were warned about. Without ``toAgentId`` each goes to the agent whom it fits best."""

    tickets: Handed
    to_agent_id: IdIn | None = None


class AgentResponse(Versioned):
    """``retiredAt``: since then they get no ticket. ``shiftCalendarId``: they get tickets in the hours of this calendar only."""

    id: Id
    sub: str
    name: str
    email: str
    role: Role
    team_id: Id
    capacity: int
    skills: list[str]
    shift_calendar_id: Id | None
    availability: Availability
    away_until: datetime | None
    retired_at: datetime | None


@router.get("/agents", response_model=Page[AgentResponse], dependencies=[allow(Permission.READ_AGENTS)])
async def list_agents(session: Session, pager: Paged, wanted: Annotated[AgentQuery, Query()], now: Now) -> Response:
    """Everyone who works on the merchant's tickets; not those who are retired. With ``skill`` only those who have it; an agent whose
    ``awayUntil`` has passed is available."""
    mine = (col(Agent.merchant_id) == session.merchant_id) & col(Agent.retired_at).is_(None)
    agents = sa.select(Agent).where(mine, *wanted.conditions(now))
    rows, end = await pager.page(session, agents, Order(Agent.id, Agent.id))
    return pager.respond([AgentResponse.model_validate(row) for row in rows], end)


@router.post("/agents", status_code=201, response_model=AgentResponse, dependencies=[allow(Permission.EDIT_AGENTS)])
async def create_agent(body: AgentBody, session: Session, change: CurrentChange) -> Response:
    """Add an agent, who is given tickets from now on. The token with this ``sub`` acts as them; what it may do is said by its roles.

    A retired agent with this ``sub`` comes back. One who is not retired is refused (409 ``agent_exists``).
    """
    agent = await add_agent(session, body, change)
    return _respond(agent, 201, location(f"/agents/{agent.id}"))


@router.get("/agents/{agent_id}", response_model=AgentResponse, dependencies=[allow(Permission.READ_AGENTS)])
async def get_agent(agent_id: AgentId, session: Session) -> Response:
    """One agent, also a retired one."""
    return _respond(await _agent(session, agent_id))


@router.patch("/agents/{agent_id}", response_model=AgentResponse, dependencies=[allow(Permission.EDIT_AGENTS)])
async def change_agent(agent_id: AgentId, body: EditAgent, session: Session, change: CurrentChange, if_match: NeededIfMatch) -> Response:
    """Change an agent; with another team they keep the tickets that they have. What they are called in the history stays.

    What waits in the team's queue, and they can take from now on, they get at once.
    """
    agent = await held_agent(session, agent_id, body.changes.get("team_id"))
    require_match(AgentResponse.model_validate(agent), if_match)
    await edit_agent(session, agent, body.changes, change)
    return _respond(agent)


@router.delete("/agents/{agent_id}", status_code=204, dependencies=[allow(Permission.EDIT_AGENTS)])
async def delete_agent(agent_id: AgentId, session: Session, change: CurrentChange, if_match: IfMatch = None) -> Response:
    """Retire an agent: from now on they get no ticket, and a job hands over those that they have: each goes to the best available agent of
    its team, or waits in its queue. The history keeps their name. Of more than 20 handovers at once the next is refused (409
    ``too_many_jobs``)."""
    await hold_configuration(session)
    agent = await held_agent(session, agent_id)
    require_match(AgentResponse.model_validate(agent), if_match)
    await retire_agent(session, agent, change)
    return Response(status_code=204)


@router.post("/agents/{agent_id}/handover", status_code=202, response_model=JobResponse, dependencies=[allow(Permission.HAND_OVER)])
async def hand_over_tickets(agent_id: AgentId, body: HandOver, session: Session, change: CurrentChange) -> Response:
    """A job hands over the agent's open tickets, also those of a retired agent: to ``toAgentId``, whatever their load, or each to the best
    available other agent of its team. Without one it stays with an agent who is there, and waits in the queue otherwise."""
    return respond_begun(await begin_handover(session, agent_id, body.tickets, body.to_agent_id, change))


@router.put("/agents/{agent_id}/availability", response_model=AgentResponse, dependencies=[allow(Permission.SET_AVAILABILITY)])
async def put_availability(agent_id: AgentId, body: SetAvailability, transaction: CurrentTransaction) -> Response:
    """Agents say it of themselves; a lead or an admin of anybody. An agent who comes back picks up what waits in the queue."""
    session, caller, change = transaction.session, transaction.caller, await transaction.change()
    await _agent(session, agent_id)
    if caller.may(Permission.SET_AVAILABILITY) is Scope.OWN and change.by.id != agent_id:
        raise Forbidden("You may say this of yourself only.")
    changed = await set_availability(session, agent_id, body.state, body.until, change)
    return _respond(changed)


def _respond(agent: Agent, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return respond_versioned(AgentResponse.model_validate(agent), status, headers)


async def _agent(session: TenantSession, agent_id: int) -> Agent:
    agent = await session.get(Agent, (session.merchant_id, agent_id))
    if agent is None:
        raise NotFound("agent")
    return agent
