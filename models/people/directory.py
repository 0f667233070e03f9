"""The people around a ticket: reporters as they first come, and agents who come and go."""

import json
from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.audit import Change
from models.db.session import TenantSession
from models.errors import NotFound
from models.people.tables import Agent, Reporter
from models.tickets.assign import hold_team
from models.tickets.assignment import Availability
from models.tickets.repository import pick_up_waiting


def unclaimed(email: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """An agent named somebody by this address, and nobody has come with a token that has it."""
    return col(Reporter.sub).is_(None) & _has(email)


def _has(email: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.func.lower(col(Reporter.email)) == sa.func.lower(email)


# Made once: these stand in the way of everything that somebody does.
_EMAIL = sa.bindparam("email", type_=sa.Text)
_AGENT = sa.select(Agent).where(col(Agent.sub) == sa.bindparam("sub"))
_BY_SUB = sa.select(Reporter).where(col(Reporter.sub) == sa.bindparam("sub"))
_HIMSELF = (
    sa.select(Reporter)
    .where((col(Reporter.sub) == sa.bindparam("sub")) | unclaimed(_EMAIL))
    .order_by(col(Reporter.sub).nulls_last(), col(Reporter.id))
    .limit(1)
    .with_for_update()  # the whole lock: a claim changes the sub, which is a key
    .execution_options(populate_existing=True)
)
# The row is held as the ticket's foreign key will hold it, before anything else is: who claims it, and then opens a ticket, never waits in
# a circle with this one.
_ADDRESSED = (
    sa.select(Reporter)
    .where(_has(_EMAIL))
    .order_by(col(Reporter.sub).nulls_last(), col(Reporter.id))  # who came with a token goes before who is only an address
    .limit(1)
    .with_for_update(read=True, key_share=True)
)
_ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


async def reporter_with_token(session: TenantSession, sub: str, name: str | None, email: str | None) -> Reporter:
    """The reporter behind a token: known by ``sub``, or by an address that an agent once gave for them, or new.

    What the token leaves out stays as it was.
    """
    found = (await session.execute(_BY_SUB, {"sub": sub})).scalar_one_or_none()
    if found is None:
        return await _welcome(session, sub, name, email)
    _bring_up_to_date(found, sub, name, email)
    return found


async def reporter_with_address(session: TenantSession, name: str, email: str) -> Reporter:
    """The person for whom an agent opens a ticket."""
    found = await _addressed(session, email)
    if found is None:
        await _come_alone(session, email=email)
        found = await _addressed(session, email)
    return found or await _add(session, None, name, email)


async def agent_with_sub(session: TenantSession, sub: str) -> Agent | None:
    return (await session.execute(_AGENT, {"sub": sub})).scalar_one_or_none()


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


async def _welcome(session: TenantSession, sub: str, name: str | None, email: str | None) -> Reporter:
    """A person who comes for the first time takes over what waits under their address. It is theirs from this statement on."""
    await _come_alone(session, sub=sub, email=email)
    found = (await session.execute(_HIMSELF, {"sub": sub, "email": email})).scalar_one_or_none()
    if found is None:
        return await _add(session, sub, name or email or sub, email)
    _bring_up_to_date(found, sub, name, email)
    await session.flush()
    return found


def _bring_up_to_date(found: Reporter, sub: str, name: str | None, email: str | None) -> None:
    said = (sub, name or found.name, email or found.email)
    if (found.sub, found.name, found.email) != said:
        found.sub, found.name, found.email = said


async def _addressed(session: TenantSession, email: str) -> Reporter | None:
    return (await session.execute(_ADDRESSED, {"email": email})).scalar_one_or_none()


async def _come_alone(session: TenantSession, **names: str | None) -> None:
    """Until the end of the transaction nobody else adds or claims a reporter by any of these names: so an address has one row.

    What another one has just added is visible to the next statement.
    """
    given = (json.dumps(["reporter", session.merchant_id, kind, name.lower()]) for kind, name in names.items() if name)
    keys = sorted(int.from_bytes(sha256(each.encode()).digest()[:8], signed=True) for each in given)  # in one order: never in a circle
    await session.execute(_ONE_AT_A_TIME, {"keys": keys})


async def _add(session: TenantSession, sub: str | None, name: str, email: str | None) -> Reporter:
    """To be asked for by who has come alone; the previous release asks without, so a conflict is still no error."""
    row = {"merchant_id": session.merchant_id, "id": session.new_id(), "sub": sub, "name": name, "email": email}
    added = insert(Reporter).values(row).on_conflict_do_nothing(index_elements=["merchant_id", "sub"])
    await session.execute(added)
    mine = (col(Reporter.sub) == sub) if sub else (col(Reporter.id) == row["id"])
    return (await session.execute(sa.select(Reporter).where(mine))).scalar_one()
