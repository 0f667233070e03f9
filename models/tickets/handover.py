"""An agent's tickets go to others: one ticket of it."""

from models.people.tables import Agent
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import assign, assign_to_team, candidates, hold_agent, pick
from models.tickets.assignment import choose, choose_for_intake


async def hand_over(ticket: TicketAggregate, to_agent_id: int | None) -> bool:
    """Give the ticket to that agent, whatever their load, or else to the best available other agent of its team; return whether it went.

    Without one it stays with an agent who is there; of one who is not, or is retired, it goes back into the queue of its team.
    """
    to_agent = await hold_agent(ticket.session, to_agent_id, ticket.row.team_id) if to_agent_id is not None else None
    if to_agent is not None and to_agent.retired_at is None:
        await assign(ticket, to_agent)
        return True
    return await _to_the_best_other(ticket)


async def _to_the_best_other(ticket: TicketAggregate) -> bool:
    """One of the same role first: what was escalated to a senior does not go back to an agent as long as there is another senior."""
    row = ticket.row
    if row.team_id is None or row.assignee_id is None:
        return False
    team = await candidates(ticket.session, row.team_id, row.category)
    others = [candidate for candidate, _ in team if candidate.id != row.assignee_id]
    owner = await ticket.session.get_one(Agent, (row.merchant_id, row.assignee_id))
    alike = (candidate for candidate in others if candidate.role is owner.role and candidate.has_skills)
    chosen = pick(team, choose(alike, ticket.at) or choose_for_intake(others, ticket.at))
    if chosen is not None:
        await assign(ticket, chosen)
    elif any(candidate.id == row.assignee_id and candidate.is_there(ticket.at) for candidate, _ in team):
        return False
    else:
        await assign_to_team(ticket, row.team_id)
    return True
