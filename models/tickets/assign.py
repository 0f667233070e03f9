"""Who works on a ticket.

The row of the team is the mutex of assignment: a transaction that counts the load of its agents, and assigns by it, holds that row until
it commits. It is taken after the ticket's own row, and further tickets only with SKIP LOCKED, so no two transactions wait for each other.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlmodel import col

from models.db.base import as_text
from models.db.prepared import Prepared
from models.db.session import TenantSession, locked
from models.errors import Conflict, Invalid
from models.notifications.kinds import NotificationKind
from models.notifications.notify import agents, as_recipient, notify, others
from models.people.tables import Agent, Team
from models.sla import tracking as clocks
from models.tickets.aggregate import TicketAggregate, id_text
from models.tickets.assignment import Candidate, choose_for_intake, unavailable
from models.tickets.lifecycle import UNFINISHED, Status
from models.tickets.messages import NobodyFree
from models.tickets.tables import Ticket


async def assign_automatically(ticket: TicketAggregate) -> Agent | None:
    """Assign a waiting ticket to the best available agent of its team; without one it stays in the queue, and None is returned."""
    if ticket.row.assignee_id is not None or ticket.row.team_id is None or not is_at_work(ticket.row):
        return None
    team = await candidates(ticket.session, ticket.row.team_id)
    agent = pick(team, choose_for_intake((candidate for candidate, _ in team), ticket.at))
    if agent is not None:
        await assign(ticket, agent)
    else:
        away, full = unavailable((candidate for candidate, _ in team), ticket.at)
        ticket.nobody_free = NobodyFree(at=ticket.at, away=away, full=full)
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
    await assign(ticket, await agent_of(ticket, agent_id))


async def assign_to_team(ticket: TicketAggregate, team_id: int) -> None:
    """Put the ticket into another team's queue; the best available agent there gets it at once."""
    require_work(ticket.row)
    for each in sorted({team_id, ticket.row.team_id or team_id}):  # always in this order: of two that cross, neither waits for the other
        await hold_team(ticket.session, each)
    team = await ticket.session.get(Team, (ticket.row.merchant_id, team_id))
    if team is None or team.retired_at is not None:
        raise Invalid("unknown_team", "There is no such team.", "/teamId")
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


async def candidates(session: TenantSession, team_id: int) -> list[tuple[Candidate, Agent]]:
    """The team's agents with their load, by id; holds the team's row from here to the end of the transaction."""
    await hold_team(session, team_id)
    return [(_candidate(agent, count), agent) for agent, count in await session.execute(_LOADED, {"team": team_id})]


async def hold_team(session: TenantSession, team_id: int) -> None:
    await session.execute(_TEAM, {"team": team_id})


def working() -> sa.ColumnElement[bool]:
    """The condition of the partial index ``ix_ticket_load``."""
    return col(Ticket.status).in_([sa.literal(each, as_text(Status)) for each in sorted(UNFINISHED)]) & col(Ticket.deleted_at).is_(None)


# Made once: these stand in the way of every assignment.
_TEAM = Prepared(locked(sa.select(col(Team.id)).where(col(Team.id) == sa.bindparam("team"))))
_LOAD = (
    sa.select(sa.func.count())
    .where(col(Ticket.merchant_id) == Agent.merchant_id, col(Ticket.assignee_id) == Agent.id, working())
    .correlate(Agent)
    .scalar_subquery()
)
_LOADED = Prepared(
    sa.select(Agent, _LOAD)
    .where(col(Agent.team_id) == sa.bindparam("team"), col(Agent.retired_at).is_(None))
    .order_by(col(Agent.id))
    .execution_options(populate_existing=True)
)


def is_at_work(ticket: Ticket) -> bool:
    return ticket.status in UNFINISHED and ticket.deleted_at is None


def require_work(ticket: Ticket) -> None:
    if not is_at_work(ticket):
        raise Conflict("ticket_is_finished", f"The ticket is {ticket.status.value}: reopen it first.")


async def agent_of(ticket: TicketAggregate, agent_id: int) -> Agent:
    agent = await ticket.session.get(Agent, (ticket.row.merchant_id, agent_id))
    if agent is None or agent.retired_at is not None:
        raise Invalid("unknown_agent", "There is no such agent.", "/agentId")
    return agent


def pick(team: Iterable[tuple[Candidate, Agent]], chosen: Candidate | None) -> Agent | None:
    return next((agent for candidate, agent in team if chosen and candidate.id == chosen.id), None)


def _candidate(agent: Agent, load: int) -> Candidate:
    return Candidate(
        id=agent.id,
        role=agent.role,
        capacity=agent.capacity,
        load=load,
        availability=agent.availability,
        away_until=agent.away_until,
    )
