"""Agents join a team, change, and are retired: their open tickets go to the others of the team."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from models.audit import Change
from models.db.session import TenantSession, locked
from models.errors import Conflict, NotFound
from models.people.audit import edit, record
from models.people.roles import Role
from models.people.tables import Agent
from models.people.teams import require_team
from models.sla.configuration import hold_configuration
from models.tickets.assign import assign_to_team, hold_team, working
from models.tickets.repository import lock_all, save
from models.tickets.tables import Ticket
from models.value import Value

MAX_AGENTS = 5_000
MAX_HANDED_OVER = 200
"""Tickets in one transaction: some seconds."""


class NewAgent(Value):
    """``sub`` is the subject of their tokens; ``capacity`` is how many open tickets they are given."""

    sub: str
    name: str
    email: str
    role: Role
    team_id: int
    capacity: int = 20
    skills: tuple[str, ...] = ()


async def add_agent(session: TenantSession, new: NewAgent, change: Change) -> Agent:
    """A new agent, who is given tickets from now on. One who was retired comes back as who they were.

    Raises:
        Conflict: an agent has the ``sub``, or there are enough. Invalid: there is no such team.
    """
    await hold_configuration(session)
    await require_team(session, new.team_id)
    values = new.model_dump() | {"skills": list(new.skills)}
    old = (await session.execute(sa.select(Agent).where(col(Agent.sub) == new.sub))).scalar_one_or_none()
    if old is not None:
        if old.retired_at is None:
            raise Conflict("agent_exists", "There is an agent with this sub: change them by PATCH.")
        await edit(session, old, values | {"retired_at": None}, change, "agent.restored")
        return old
    await _require_room(session)
    agent = Agent(merchant_id=session.merchant_id, id=session.new_id(), **values)
    session.insert(agent)
    record(session, change, "agent.created", agent.id, name=[None, new.name], role=[None, new.role], teamId=[None, str(new.team_id)])
    await session.write()
    return agent


async def held_agent(session: TenantSession, agent_id: int) -> Agent:
    """The agent, locked; also one who is retired. Raises: NotFound."""
    agent = (await session.execute(locked(sa.select(Agent).where(col(Agent.id) == agent_id)))).scalar_one_or_none()
    if agent is None:
        raise NotFound("agent")
    return agent


async def edit_agent(session: TenantSession, agent: Agent, wanted: Mapping[str, Any], change: Change) -> None:
    """``agent`` is held. With another team they keep their tickets.

    Raises:
        Invalid: there is no such team.
    """
    if "team_id" in wanted and wanted["team_id"] != agent.team_id:
        await require_team(session, wanted["team_id"])
    await edit(session, agent, wanted, change, "agent.edited")


async def retire_agent(session: TenantSession, agent_id: int, change: Change) -> None:
    """Retire an agent; each of their open tickets goes to the best available agent of their team, or waits in its queue.

    The tickets are locked first and the team then, as everywhere: see models/tickets/assign.py. For an agent who is retired already it
    hands over what they were given in the same moment.

    Raises:
        NotFound: there is none. Conflict: they have too many open tickets.
    """
    agent = await session.get(Agent, (session.merchant_id, agent_id))
    if agent is None:
        raise NotFound("agent")
    mine = sa.select(Ticket).where(col(Ticket.assignee_id) == agent_id, working()).limit(MAX_HANDED_OVER + 1)
    tickets = await lock_all(session, mine, change)
    if len(tickets) > MAX_HANDED_OVER:
        raise Conflict("too_many_tickets", f"They have more than {MAX_HANDED_OVER} open tickets: assign some of them to others first.")
    await hold_team(session, agent.team_id)
    agent = await held_agent(session, agent_id)
    if agent.retired_at is None:
        await edit(session, agent, {"retired_at": change.at}, change, "agent.retired")
    for ticket in tickets:
        await assign_to_team(ticket, ticket.row.team_id or agent.team_id)
        await save(ticket)  # before the next one is assigned: by then it counts


async def _require_room(session: TenantSession) -> None:
    count = sa.select(sa.func.count()).select_from(Agent).where(col(Agent.merchant_id) == session.merchant_id)
    if (await session.execute(count)).scalar_one() >= MAX_AGENTS:
        raise Conflict("too_many_agents", f"There may be {MAX_AGENTS} agents, also of those that are retired.")
