"""The people around a ticket: reporters as they first come, and agents who come and go."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.operations.assign import hold_team
from models.operations.change import Change
from models.operations.changing import pick_up_waiting
from models.operations.errors import NotFound
from models.policy.assignment import Availability
from models.tables.people import Agent, Reporter
from models.tables.session import TenantSession

# Made once: these stand in the way of every ticket that is opened.
_BY_SUB = sa.select(Reporter).where(col(Reporter.sub) == sa.bindparam("sub"))
_UNCLAIMED = (
    sa.select(Reporter)
    .where(col(Reporter.sub).is_(None), sa.func.lower(col(Reporter.email)) == sa.bindparam("email"))
    .order_by(col(Reporter.id))
    .limit(1)
    .with_for_update(skip_locked=True)  # of two who claim the same address, one gets it
)


async def reporter_with_token(session: TenantSession, sub: str, name: str, email: str | None) -> Reporter:
    """The reporter behind a token: known by ``sub``, or by an address that an agent once gave for him, or new."""
    found = (await session.execute(_BY_SUB, {"sub": sub})).scalar_one_or_none()
    if found is None and email:
        found = (await session.execute(_UNCLAIMED, {"email": email.lower()})).scalar_one_or_none()
    if found is None:
        return await _add(session, sub, name, email)
    if (found.sub, found.name, found.email) != (sub, name, email or found.email):
        found.sub, found.name, found.email = sub, name, email or found.email
    return found


async def reporter_with_address(session: TenantSession, name: str, email: str) -> Reporter:
    """The person for whom an agent opens a ticket."""
    return await _first(session, _has_address(email)) or await _add(session, None, name, email)


async def agent_with_sub(session: TenantSession, sub: str) -> Agent | None:
    return (await session.execute(sa.select(Agent).where(col(Agent.sub) == sub))).scalar_one_or_none()


async def set_availability(session: TenantSession, agent_id: int, state: Availability, until: datetime | None, change: Change) -> Agent:
    """An agent comes or goes. Who comes picks up what waits in the queue."""
    agent = await session.get(Agent, (session.merchant_id, agent_id))
    if agent is None:
        raise NotFound("agent")
    await hold_team(session, agent.team_id)
    await session.refresh(agent)  # what somebody else said while we waited
    agent.availability = state
    agent.away_until = until if state is Availability.AWAY else None
    await session.flush()
    if state is Availability.AVAILABLE:
        await pick_up_waiting(session, agent.team_id, change)
    return agent


def _has_address(email: str) -> sa.ColumnElement[bool]:
    return sa.func.lower(col(Reporter.email)) == email.lower()


async def _first(session: TenantSession, condition: sa.ColumnElement[bool]) -> Reporter | None:
    """Who came with a token of his own goes before who is only an address."""
    wanted = sa.select(Reporter).where(condition).order_by(col(Reporter.sub).nulls_last(), col(Reporter.id)).limit(1)
    return (await session.execute(wanted)).scalar_one_or_none()


async def _add(session: TenantSession, sub: str | None, name: str, email: str | None) -> Reporter:
    """Of two first tickets that come at once, one adds the reporter and the other finds him."""
    row = {"merchant_id": session.merchant_id, "id": session.new_id(), "sub": sub, "name": name, "email": email}
    added = insert(Reporter).values(row).on_conflict_do_nothing(index_elements=["merchant_id", "sub"])
    await session.execute(added)
    mine = (col(Reporter.sub) == sub) if sub else (col(Reporter.id) == row["id"])
    return (await session.execute(sa.select(Reporter).where(mine))).scalar_one()
