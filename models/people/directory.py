"""Find or add the reporter of a request, and set the availability of an agent."""

import json
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.audit import Change
from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.errors import Invalid, NotFound
from models.people.audit import edit
from models.people.tables import Agent, Merchant, Reporter
from models.tickets.assign import hold_agent
from models.tickets.assignment import Availability
from models.tickets.repository import pick_up_waiting


class Identity(NamedTuple):
    """A person as their token names them. ``is_verified``: whether the address is theirs; None: the token does not say."""

    sub: str
    name: str | None
    email: str | None
    is_verified: bool | None

    @property
    def verified_email(self) -> str | None:
        return self.email if self.is_verified else None


def unclaimed(email: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """A reporter whom an agent named by this address, and whose token has not been seen yet."""
    return col(Reporter.sub).is_(None) & _has(email)


def _has(email: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.func.lower(col(Reporter.email)) == sa.func.lower(email)


# Built once: one of these runs in nearly every request.
_EMAIL = sa.bindparam("email", type_=sa.Text)
_AGENT = Prepared(sa.select(Agent).where(col(Agent.sub) == sa.bindparam("sub"), col(Agent.retired_at).is_(None)))
_BY_SUB = Prepared(sa.select(Reporter).where(col(Reporter.sub) == sa.bindparam("sub")))
_BY_SUB_OR_UNCLAIMED = Prepared(
    sa.select(Reporter)
    .where((col(Reporter.sub) == sa.bindparam("sub")) | unclaimed(_EMAIL))
    .order_by(col(Reporter.sub).nulls_last(), col(Reporter.id))
    .limit(1)
    .with_for_update()  # the full lock: a claim changes the sub, which is a key
    .execution_options(populate_existing=True)
)
# Locked first, and as the ticket's foreign key will lock it: a transaction that claims the row and then opens a ticket can't deadlock with
# this one.
_ADDRESSED = Prepared(
    sa.select(Reporter)
    # Not one whose token only says the address: they would read what is meant for its owner.
    .where(_has(_EMAIL), col(Reporter.sub).is_(None) | col(Reporter.is_email_verified))
    .order_by(col(Reporter.sub).nulls_last(), col(Reporter.id))  # a reporter with a token goes before one that is only an address
    .limit(1)
    .with_for_update(read=True, key_share=True)
)
_ONE_AT_A_TIME = Prepared[None]("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


async def reporter_with_token(session: TenantSession, identity: Identity) -> Reporter:
    """The reporter behind a token: known by ``sub``, or by a verified address that an agent gave for them, or new.

    What the token leaves out stays as it was.
    """
    found = (await session.execute(_BY_SUB, {"sub": identity.sub})).scalar_one_or_none()
    if found is None:
        return await _welcome(session, identity)
    _bring_up_to_date(found, identity)
    return found


async def reporter_with_address(session: TenantSession, name: str, email: str) -> Reporter:
    """The person for whom an agent opens a ticket."""
    found = await _addressed(session, email)
    if found is None:
        await _lock_names(session, email=email)
        found = await _addressed(session, email)
    return found or await _add(session, sub=None, name=name, email=email, is_email_verified=False)


async def require_merchant(session: TenantSession) -> None:
    """Raises: NotFound: the session's merchant does not exist."""
    if (await session.execute(sa.select(col(Merchant.id)))).first() is None:
        raise NotFound("merchant")


async def agent_with_sub(session: TenantSession, sub: str) -> Agent | None:
    return (await session.execute(_AGENT, {"sub": sub})).scalar_one_or_none()


async def set_availability(session: TenantSession, agent_id: int, state: Availability, until: datetime | None, change: Change) -> Agent:
    """Set an agent's availability. One who becomes available gets tickets that wait in the team's queue.

    Raises:
        NotFound: there is no such agent, or they are retired. Invalid: ``until`` is not ahead.
    """
    if until is not None and until <= change.at:
        raise Invalid("not_in_the_future", "They are away until an instant in the future; without one until they come back.", "/until")
    agent = await hold_agent(session, agent_id)
    if agent is None or agent.retired_at is not None:
        raise NotFound("agent")
    wanted = {"availability": state, "away_until": until if state is Availability.AWAY else None}
    await edit(session, agent, wanted, change, "agent.availability_set")
    if state is Availability.AVAILABLE:
        await pick_up_waiting(session, agent.team_id, change)
    return agent


async def _welcome(session: TenantSession, who: Identity) -> Reporter:
    """On the first token of a reporter, let them claim the row that an agent made under their address. Later statements see the claim."""
    await _lock_names(session, sub=who.sub, email=who.verified_email)
    found = (await session.execute(_BY_SUB_OR_UNCLAIMED, {"sub": who.sub, "email": who.verified_email})).scalar_one_or_none()
    if found is None:
        name = who.name or who.email or who.sub
        return await _add(session, sub=who.sub, name=name, email=who.email, is_email_verified=who.verified_email is not None)
    _bring_up_to_date(found, who)
    await session.write()
    return found


def _bring_up_to_date(found: Reporter, who: Identity) -> None:
    said = (who.sub, who.name or found.name, who.email or found.email, _is_verified(found, who))
    if (found.sub, found.name, found.email, found.is_email_verified) != said:
        found.sub, found.name, found.email, found.is_email_verified = said


def _is_verified(found: Reporter, who: Identity) -> bool:
    """A token that says nothing about the known address leaves it as it was; another address is as good as the token says."""
    if who.email is None or (who.is_verified is None and who.email.lower() == (found.email or "").lower()):
        return found.is_email_verified
    return who.verified_email is not None


async def _addressed(session: TenantSession, email: str) -> Reporter | None:
    return (await session.execute(_ADDRESSED, {"email": email})).scalar_one_or_none()


async def _lock_names(session: TenantSession, **names: str | None) -> None:
    """Until the end of the transaction no other one adds or claims a reporter by any of these names: so an address has one row.

    What another transaction has just added is visible to the next statement.
    """
    given = (json.dumps(["reporter", session.merchant_id, kind, name.lower()]) for kind, name in names.items() if name)
    keys = sorted(int.from_bytes(sha256(each.encode()).digest()[:8], signed=True) for each in given)  # always in this order, so no deadlock
    await session.execute(_ONE_AT_A_TIME, {"keys": keys})


async def _add(session: TenantSession, *, sub: str | None, **columns: object) -> Reporter:
    """Called under the lock of :func:`_lock_names`; the previous release calls it without, so a conflict is still no error."""
    row = {"merchant_id": session.merchant_id, "id": session.new_id(), "sub": sub, **columns}
    added = insert(Reporter).values(row).on_conflict_do_nothing(index_elements=["merchant_id", "sub"])
    await session.execute(added)
    mine = (col(Reporter.sub) == sub) if sub else (col(Reporter.id) == row["id"])
    return (await session.execute(sa.select(Reporter).where(mine))).scalar_one()
