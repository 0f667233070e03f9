"""Who works on a ticket.

The row of the team is the mutex of assignment: a transaction that assigns to one of its agents, or changes or retires one, holds that row
until it commits. It is taken after the ticket's own row and before an agent's, several in the order of their ids, and further tickets only
with SKIP LOCKED, so no two transactions wait for each other.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlmodel import col

from models.db.base import as_text
from models.db.prepared import Prepared
from models.db.session import TenantSession, locked
from models.errors import Conflict, Invalid
from models.notifications.kinds import NotificationKind
from models.notifications.notify import agents, as_recipient, notify, others
from models.people.tables import Agent, Category, Team
from models.sla import tracking as clocks
from models.sla.calendar import Calendar
from models.sla.definitions import Definition, Key, definitions
from models.sla.rulebook import rulebook
from models.sla.tables import ConfigurationVersion
from models.tickets.aggregate import TicketAggregate, id_text
from models.tickets.assignment import Candidate, choose_for_intake, unavailable
from models.tickets.lifecycle import UNFINISHED, Status
from models.tickets.messages import NobodyFree
from models.tickets.tables import Ticket

TRIES = 3


async def assign_automatically(ticket: TicketAggregate) -> Agent | None:
    """Assign a waiting ticket to the best available agent of its team; without one it stays in the queue, and None is returned."""
    if ticket.row.assignee_id is not None or ticket.row.team_id is None or not is_at_work(ticket.row):
        return None
    team = await candidates(ticket.session, ticket.row.team_id, ticket.row.category)
    agent = pick(team, choose_for_intake((candidate for candidate, _ in team), ticket.at))
    if agent is not None:
        await assign(ticket, agent)
    else:
        why = unavailable((candidate for candidate, _ in team), ticket.at)
        ticket.nobody_free = NobodyFree(at=ticket.at, **why._asdict())
    return agent


async def assign_waiting(ticket: TicketAggregate) -> None:
    """At intake. A ticket that a person took out of the queue is left to people, also when its workflow begins again."""
    if ticket.row.is_queued:
        await assign_automatically(ticket)


async def assign(ticket: TicketAggregate, agent: Agent) -> None:
    """Assign the ticket to ``agent``, whatever their load: a person's word overrides the numbers. Old and new assignee are notified."""
    require_work(ticket.row)
    old = ticket.row.assignee_id
    if old == agent.id:
        return
    before = ticket.row.status
    give(ticket, agent)
    owner = {"fromAgentId": id_text(old), "toAgentId": id_text(agent.id), "teamId": id_text(agent.team_id)}
    cause = ticket.record("ticket.assigned", **owner, **ticket.status_change(before))
    notify(ticket, NotificationKind.TICKET_ASSIGNED, cause, others(ticket, [as_recipient(agent)]), fromAgentId=old, toAgentId=agent.id)
    notify(ticket, NotificationKind.TICKET_UNASSIGNED, cause, await agents(ticket, old), fromAgentId=old, toAgentId=agent.id)


async def assign_by_hand(ticket: TicketAggregate, agent_id: int) -> None:
    """Raises: Invalid: there is no such agent, or they are retired, also if that happened a moment ago."""
    agent = await hold_agent(ticket.session, agent_id, ticket.row.team_id)
    if agent is None or agent.retired_at is not None:
        raise unknown_agent("/agentId")
    await assign(ticket, agent)


async def assign_to_team(ticket: TicketAggregate, team_id: int) -> None:
    """Put the ticket into another team's queue; the best available agent there gets it at once."""
    require_work(ticket.row)
    await hold_teams(ticket.session, team_id, ticket.row.team_id)
    team = await ticket.session.get(Team, (ticket.row.merchant_id, team_id))
    if team is None or team.retired_at is not None:
        raise unknown_team()
    await unassign(ticket)
    ticket.row.team_id, ticket.row.is_queued = team_id, True
    ticket.record("ticket.moved_to_team", teamId=id_text(team_id))
    await assign_automatically(ticket)


async def claim(ticket: TicketAggregate, agent_id: int) -> None:
    """An agent takes an unassigned ticket. Of two who claim it, the second is refused."""
    if ticket.row.assignee_id not in (None, agent_id):
        raise Conflict("already_assigned", "Another agent has this ticket.")
    await assign_by_hand(ticket, agent_id)


async def unassign(ticket: TicketAggregate) -> None:
    """It waits for an agent to claim it, and is not given to the next who has room."""
    old = ticket.row.assignee_id
    if old is None:
        return
    ticket.row.assignee_id, ticket.row.is_queued = None, False
    cause = ticket.record("ticket.unassigned", fromAgentId=id_text(old), toAgentId=None)
    notify(ticket, NotificationKind.TICKET_UNASSIGNED, cause, await agents(ticket, old), fromAgentId=old, toAgentId=None)


def give(ticket: TicketAggregate, agent: Agent) -> None:
    """The bare change of owner; a new ticket becomes open with it."""
    row = ticket.row
    row.assignee_id, row.team_id, row.is_queued = agent.id, agent.team_id, False
    if row.status is Status.NEW:
        ticket.set_status(Status.OPEN)
        clocks.status_changed(ticket, "assigned")


async def candidates(session: TenantSession, team_id: int, category: str | None = None) -> list[tuple[Candidate, Agent]]:
    """The team's agents with their load, by id; holds the team's row from here to the end of the transaction.

    ``category`` is that of the ticket, whose skills are asked for.
    """
    await hold_teams(session, team_id)
    rows = (await session.execute(_LOADED, {"team": team_id, "category": category})).all()
    keys = [None if version is None else Key(agent.shift_calendar_id, version) for agent, _, version, _ in rows]
    shifts = await definitions(session, {key for key in keys if key})
    return [
        (_candidate(agent, load, shifts[key] if key else None, skills), agent)
        for key, (agent, load, _, skills) in zip(keys, rows, strict=True)
    ]


async def hold_teams(session: TenantSession, *team_ids: int | None) -> None:
    """Always in the order of their ids: of two transactions that need the same, neither waits for the other in a circle."""
    await session.execute(_TEAMS, {"teams": sorted({each for each in team_ids if each is not None})})


async def hold_agent(session: TenantSession, agent_id: int, *team_ids: int | None) -> Agent | None:
    """The agent, locked after their team and ``team_ids``: until the end of the transaction they are not assigned to, changed or retired
    by another one. None if there is none; one who is retired is one.

    Raises:
        Conflict: they changed their team again and again meanwhile.
    """
    agent = await session.get(Agent, (session.merchant_id, agent_id))
    held = {each for each in team_ids if each is not None}
    for _ in range(TRIES):
        if agent is None:
            return None
        held.add(agent.team_id)
        await hold_teams(session, *held)
        await session.execute(_AGENT, {"merchant_id": agent.merchant_id, "id": agent.id})
        if agent.team_id in held:
            return agent
    raise Conflict("agent_is_changing", "The agent is being changed by others at this moment: try again.")


async def release_if_retired(ticket: TicketAggregate) -> None:
    """A ticket is at work again, whose assignee or team may have been retired meanwhile: then another one gets it.

    Their rows are shared until the commit: a retirement at this moment waits, and finds this ticket.
    """
    row = ticket.row
    if row.team_id is None or not is_at_work(row):
        return
    standing = _OF_ASSIGNEE if row.assignee_id is not None else _OF_TEAM
    asked = {"team": row.team_id} | ({"agent": row.assignee_id} if row.assignee_id is not None else {})
    team_retired_at, agent_retired_at, agents_team = (await ticket.session.execute(standing, asked)).one()
    if row.assignee_id is not None and agent_retired_at is None:
        if team_retired_at:
            row.team_id = agents_team
            ticket.record("ticket.moved_to_team", teamId=id_text(agents_team))
    elif team_retired_at or agent_retired_at:
        await assign_to_team(ticket, await _team_of_category(ticket) if team_retired_at else row.team_id)


async def _team_of_category(ticket: TicketAggregate) -> int:
    """Of the default one, if the ticket's own is retired."""
    teams = (await rulebook(ticket.session)).categories
    return teams.get(ticket.row.category or "") or next(iter(teams.values()))


def unknown_team() -> Invalid:
    """A body names a team that there is not."""
    return Invalid("unknown_team", "There is no such team, or it is retired: GET /teams lists those that there are.", "/teamId")


def unknown_agent(pointer: str) -> Invalid:
    """A body names at ``pointer`` somebody who is given no ticket."""
    return Invalid("unknown_agent", "There is no such agent, or they are retired: GET /agents lists those who are given tickets.", pointer)


def working() -> sa.ColumnElement[bool]:
    """Served by ``ix_ticket_assignee``, and by ``ix_ticket_status`` for all of a merchant's."""
    return col(Ticket.status).in_([sa.literal(each, as_text(Status)) for each in sorted(UNFINISHED)]) & col(Ticket.deleted_at).is_(None)


# Made once: these stand in the way of every assignment.
_TEAMS = Prepared(
    locked(
        sa.select(col(Team.id)).where(col(Team.id) == sa.any_(sa.bindparam("teams", type_=sa.ARRAY(sa.BigInteger)))).order_by(col(Team.id))
    )
)
_AGENT = Prepared(
    locked(sa.select(Agent).where(col(Agent.merchant_id) == sa.bindparam("merchant_id"), col(Agent.id) == sa.bindparam("id")))
)
_OF_TEAM = sa.select(col(Team.retired_at), sa.null(), sa.null()).where(col(Team.id) == sa.bindparam("team")).with_for_update(read=True)
_OF_ASSIGNEE = (
    sa.select(col(Team.retired_at), col(Agent.retired_at), col(Agent.team_id))
    .join_from(Team, Agent, (col(Agent.merchant_id) == Team.merchant_id) & (col(Agent.id) == sa.bindparam("agent")))
    .where(col(Team.id) == sa.bindparam("team"))
    .with_for_update(read=True)
)
_LOAD = (
    sa.select(sa.func.count())
    .where(col(Ticket.merchant_id) == Agent.merchant_id, col(Ticket.assignee_id) == Agent.id, working())
    .correlate(Agent)
    .scalar_subquery()
)
SHIFT_VERSION = (
    sa.select(sa.func.max(ConfigurationVersion.version))
    .where(col(ConfigurationVersion.merchant_id) == Agent.merchant_id, col(ConfigurationVersion.id) == Agent.shift_calendar_id)
    .correlate(Agent)
    .scalar_subquery()
)
"""Of the calendar that is an agent's shift: the newest; null for those who have none."""
_SKILLS = (
    sa.select(col(Category.skills))
    .where(col(Category.merchant_id) == Agent.merchant_id, col(Category.name) == sa.bindparam("category"))
    .correlate(Agent)
    .scalar_subquery()
)
_LOADED = Prepared(
    sa.select(Agent, _LOAD, SHIFT_VERSION, _SKILLS)
    .where(col(Agent.team_id) == sa.bindparam("team"), col(Agent.retired_at).is_(None))
    .order_by(col(Agent.id))
    .execution_options(populate_existing=True)
)


def is_at_work(ticket: Ticket) -> bool:
    return ticket.status in UNFINISHED and ticket.deleted_at is None


def require_work(ticket: Ticket) -> None:
    if not is_at_work(ticket):
        raise Conflict("ticket_is_finished", f"The ticket is {ticket.status.value}: reopen it first.")


def pick(team: Iterable[tuple[Candidate, Agent]], chosen: Candidate | None) -> Agent | None:
    return next((agent for candidate, agent in team if chosen and candidate.id == chosen.id), None)


def _candidate(agent: Agent, load: int, shift: Definition | None, skills: Sequence[str] | None) -> Candidate:
    return Candidate(
        id=agent.id,
        role=agent.role,
        capacity=agent.capacity,
        load=load,
        availability=agent.availability,
        away_until=agent.away_until,
        shift=shift if isinstance(shift, Calendar) else None,
        has_skills=set(skills or ()) <= set(agent.skills),
    )
