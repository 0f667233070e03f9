"""Agents join a team, change, hand over their tickets, and are retired.

The merchant's configuration is held first, where it is, then the rows of teams, then the agent's: see models/tickets/assign.py.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from models.audit import Change
from models.db.session import TenantSession
from models.errors import Conflict, Invalid, NotFound
from models.jobs.begin import begin_job
from models.jobs.tables import Job, JobKind
from models.people.audit import edit, record
from models.people.roles import Role
from models.people.tables import Agent
from models.people.teams import require_room, require_team
from models.sla.configuration import current, hold_configuration
from models.sla.tables import ConfigurationKind
from models.tickets.assign import hold_agent, unknown_agent, working
from models.tickets.assignment import Availability
from models.tickets.filter import Handed
from models.tickets.repository import pick_up_waiting
from models.tickets.tables import Ticket
from models.value import Value

MAX_AGENTS = 5_000


class NewAgent(Value):
    """``sub`` is the subject of their tokens; ``capacity`` is how many open tickets they are given; a shift is a calendar."""

    sub: str
    name: str
    email: str
    role: Role
    team_id: int
    capacity: int = 20
    skills: tuple[str, ...] = ()
    shift_calendar_id: int | None = None


async def add_agent(session: TenantSession, new: NewAgent, change: Change) -> Agent:
    """A new agent, who is given tickets from now on, first of those that wait. One who was retired comes back as who they were, available.

    Raises:
        Conflict: an agent has the ``sub``, or there are enough. Invalid: there is no such team or calendar.
    """
    await hold_configuration(session)
    await _require_calendar(session, new.shift_calendar_id)
    agent = await _restored(session, new, change) or await _added(session, new, change)
    await pick_up_waiting(session, agent.team_id, change)
    return agent


async def held_agent(session: TenantSession, agent_id: int, *team_ids: int | None) -> Agent:
    """The agent, locked after their team and ``team_ids``; also one who is retired. Raises: NotFound."""
    agent = await hold_agent(session, agent_id, *team_ids)
    if agent is None:
        raise NotFound("agent")
    return agent


async def edit_agent(session: TenantSession, agent: Agent, wanted: Mapping[str, Any], change: Change) -> None:
    """``agent`` is held. With another team they keep their tickets; what waits in their team and they can take now, they get.

    Raises:
        Invalid: there is no such team or calendar.
    """
    if wanted.get("team_id", agent.team_id) != agent.team_id:
        await require_team(session, wanted["team_id"])
    await _require_calendar(session, wanted.get("shift_calendar_id"))
    before = agent.version
    await edit(session, agent, wanted, change, "agent.edited")
    if agent.version != before and agent.retired_at is None:
        await pick_up_waiting(session, agent.team_id, change)


async def retire_agent(session: TenantSession, agent: Agent, change: Change) -> None:
    """No ticket is assigned to them any more, and a job hands over those that they have. ``agent`` is held, after the configuration.

    To assign holds the team, or shares the agent's row: what they were given before is committed, and the job finds it.

    Raises:
        Conflict: too many handovers are under way.
    """
    if agent.retired_at is None:
        await edit(session, agent, {"retired_at": change.at}, change, "agent.retired")
    mine = sa.select(col(Ticket.id)).where(col(Ticket.merchant_id) == session.merchant_id, col(Ticket.assignee_id) == agent.id, working())
    if (await session.execute(mine.limit(1))).first() is not None:
        await _begin(session, agent.id, {"tickets": Handed.ALL}, change)


async def begin_handover(session: TenantSession, agent_id: int, handed: Handed, to_agent_id: int | None, change: Change) -> Job:
    """A job hands over the agent's open tickets, all or those at risk and late; to ``to_agent_id``, or each to whom it fits best.

    Raises:
        NotFound: there is no such agent. Invalid: nobody can be handed tickets under that id. Conflict: too many handovers are under way.
    """
    if await session.get(Agent, (session.merchant_id, agent_id)) is None:
        raise NotFound("agent")
    if to_agent_id is not None:
        await _require_another(session, agent_id, to_agent_id)
    to_agent = {"toAgentId": str(to_agent_id)} if to_agent_id is not None else {}
    return await _begin(session, agent_id, {"tickets": handed} | to_agent, change)


async def _begin(session: TenantSession, agent_id: int, wanted: dict[str, str], change: Change) -> Job:
    request = {"agentId": str(agent_id)} | wanted
    job = await begin_job(session, JobKind.HANDOVER, request, change)
    record(session, change, "agent.handover_begun", agent_id, **{name: [None, value] for name, value in request.items()})
    await session.write()
    return job


async def _require_another(session: TenantSession, agent_id: int, to_agent_id: int) -> None:
    if to_agent_id == agent_id:
        raise Invalid("same_agent", "This agent has the tickets already: name another one, or leave it out.", "/toAgentId")
    agent = await session.get(Agent, (session.merchant_id, to_agent_id))
    if agent is None or agent.retired_at is not None:
        raise unknown_agent("/toAgentId")


async def _require_calendar(session: TenantSession, calendar_id: int | None) -> None:
    if calendar_id is None:
        return
    try:
        await current(session, ConfigurationKind.CALENDAR, calendar_id)
    except NotFound:
        raise Invalid("unknown_calendar", "There is no such calendar: GET /calendars lists them.", "/shiftCalendarId") from None


async def _restored(session: TenantSession, new: NewAgent, change: Change) -> Agent | None:
    """None if no agent has had the ``sub``."""
    known = (await session.execute(sa.select(col(Agent.id)).where(col(Agent.sub) == new.sub))).scalar_one_or_none()
    if known is None:
        return None
    agent = await held_agent(session, known, new.team_id)
    if agent.retired_at is None:
        raise Conflict("agent_exists", f"The agent {agent.id} has this sub: change them by PATCH /agents/{agent.id}.")
    await require_team(session, new.team_id)  # held already, with the team that they left: both in the order of their ids
    there = {"retired_at": None, "availability": Availability.AVAILABLE, "away_until": None}
    await edit(session, agent, _columns(new) | there, change, "agent.restored")
    return agent


async def _added(session: TenantSession, new: NewAgent, change: Change) -> Agent:
    await require_team(session, new.team_id)
    await require_room(session, Agent, MAX_AGENTS, "agents", "restore one by POST /agents")
    agent = Agent(merchant_id=session.merchant_id, id=session.new_id(), **_columns(new))
    session.insert(agent)
    record(session, change, "agent.created", agent.id, name=[None, new.name], role=[None, new.role], teamId=[None, str(new.team_id)])
    await session.write()
    return agent


def _columns(new: NewAgent) -> dict[str, Any]:
    return new.model_dump() | {"skills": list(new.skills)}
