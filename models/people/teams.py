"""Teams and categories: added, and retired when nothing stands on them. A change of categories makes the cached rulebook stale."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from models.audit import Change
from models.db.session import TenantSession, locked
from models.errors import Conflict, NotFound
from models.people.audit import edit, record
from models.people.tables import Agent, Category, Team
from models.sla.configuration import hold_configuration, outdate_rulebook
from models.sla.rulebook import rulebook
from models.tickets.assign import hold_teams, unknown_team, working
from models.tickets.repository import pick_up_waiting
from models.tickets.tables import Ticket
from models.value import Value

MAX_TEAMS = 500
MAX_CATEGORIES = 500
"""Of a merchant: each ticket's rulebook holds all categories."""


async def add_team(session: TenantSession, name: str, change: Change) -> Team:
    """Raises: Conflict: there are enough."""
    await hold_configuration(session)
    await require_room(session, Team, MAX_TEAMS, "teams")
    team = Team(merchant_id=session.merchant_id, id=session.new_id(), name=name)
    session.insert(team)
    record(session, change, "team.created", team.id, name=[None, name])
    await session.write()
    return team


async def held_team(session: TenantSession, team_id: int) -> Team:
    """The team, locked: until the end of the transaction nobody joins it, and no ticket is assigned in it.

    Raises:
        NotFound: there is none, or it is retired.
    """
    found = locked(sa.select(Team).where(col(Team.id) == team_id, col(Team.retired_at).is_(None)))
    team = (await session.execute(found)).scalar_one_or_none()
    if team is None:
        raise NotFound("team")
    return team


async def require_team(session: TenantSession, team_id: int) -> None:
    """Raises: Invalid: a body names a team that there is not."""
    try:
        await held_team(session, team_id)
    except NotFound:
        raise unknown_team() from None


async def retire_team(session: TenantSession, team: Team, change: Change) -> None:
    """``team`` is held.

    Raises:
        Conflict: unfinished tickets, agents or categories stand on it.
    """
    reasons = {
        "categories": sa.select(col(Category.id)).where(col(Category.team_id) == team.id, col(Category.retired_at).is_(None)),
        "agents": sa.select(col(Agent.id)).where(col(Agent.team_id) == team.id, col(Agent.retired_at).is_(None)),
        "open tickets": sa.select(col(Ticket.id)).where(col(Ticket.team_id) == team.id, working()),
    }
    for what, rows in reasons.items():
        if (await session.execute(rows.limit(1))).first():
            raise Conflict("team_in_use", f"The team has {what}: give them to another team first.")
    await edit(session, team, {"retired_at": change.at}, change, "team.retired")


class NewCategory(Value):
    """The last one, or the default. Its tickets are given to agents of the team who have all of the ``skills``."""

    name: str
    team_id: int
    skills: tuple[str, ...] = ()
    is_default: bool = False


async def add_category(session: TenantSession, new: NewCategory, change: Change) -> Category:
    """A new category. One that was retired comes back.

    Raises:
        Conflict: there is one of that name, or there are enough. Invalid: there is no such team.
    """
    await hold_configuration(session)
    await require_team(session, new.team_id)
    old = (await session.execute(sa.select(Category).where(col(Category.name) == new.name))).scalar_one_or_none()
    if old is not None and old.retired_at is None:
        raise Conflict("category_exists", "There is a category of this name: change it, or choose another name.")
    columns: dict[str, Any] = {
        "team_id": new.team_id,
        "skills": list(new.skills),
        "position": await _place(session, is_default=new.is_default),
    }
    category = old or Category(merchant_id=session.merchant_id, id=session.new_id(), name=new.name, **columns)
    if old is None:
        await require_room(session, Category, MAX_CATEGORIES, "categories", "restore one by POST /categories")
        session.insert(category)
        record(session, change, "category.created", category.id, name=[None, new.name], teamId=[None, str(new.team_id)])
        await session.write()
    else:
        await edit(session, old, columns | {"retired_at": None}, change, "category.restored")
    await outdate_rulebook(session)
    return category


async def held_category(session: TenantSession, name: str) -> Category:
    """The category of this name, under the lock of the merchant's configuration. Raises: NotFound."""
    await hold_configuration(session)
    found = sa.select(Category).where(col(Category.name) == name, col(Category.retired_at).is_(None))
    category = (await session.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if category is None:
        raise NotFound("category")
    return category


async def edit_category(
    session: TenantSession, category: Category, columns: Mapping[str, Any], change: Change, *, is_default: bool | None = None
) -> None:
    """``category`` is held. Its open tickets stay where they are; with other skills, those that wait are picked up.

    Raises:
        Invalid: there is no such team. Conflict: the default is changed by making another category the default.
    """
    wanted, old_team_id = dict(columns), category.team_id
    await hold_teams(session, old_team_id, wanted.get("team_id"))
    if "team_id" in wanted:
        await require_team(session, wanted["team_id"])
    is_first = next(iter((await rulebook(session)).categories), None) == category.name
    if is_default is False and is_first:
        raise Conflict("category_is_default", "This is the default: make another category the default instead.")
    if is_default and not is_first:
        wanted["position"] = await _place(session, is_default=True)
    await edit(session, category, wanted, change, "category.edited")
    await outdate_rulebook(session)
    if "skills" in wanted:
        await pick_up_waiting(session, old_team_id, change)


async def retire_category(session: TenantSession, category: Category, change: Change) -> None:
    """``category`` is held. Its tickets keep it, and no new ticket gets it.

    Raises:
        Conflict: a policy is for it, or it is the only one.
    """
    book = await rulebook(session)
    if any(category.name in each.policy.match.categories for each in book.ordered):
        raise Conflict("category_in_use", "A policy is for this category: publish a version of it without the category first.")
    if len(book.categories) == 1:
        raise Conflict("category_in_use", "It is the only category, and each ticket needs one: add another one first.")
    await edit(session, category, {"retired_at": change.at}, change, "category.retired")
    await outdate_rulebook(session)


async def _place(session: TenantSession, *, is_default: bool) -> int:
    """Before all others, or behind them."""
    place = sa.func.min(Category.position) - 1 if is_default else sa.func.max(Category.position) + 1
    mine = col(Category.merchant_id) == session.merchant_id
    return int((await session.execute(sa.select(sa.func.coalesce(place, 0)).where(mine))).scalar_one())


async def require_room(
    session: TenantSession,
    table: type[Team] | type[Category] | type[Agent],
    most: int,
    what: str,
    instead: str = "change one that there is",
) -> None:
    """Raises: Conflict: there are enough of ``what``; says what to do ``instead``."""
    count = sa.select(sa.func.count()).select_from(table).where(col(table.merchant_id) == session.merchant_id)
    if (await session.execute(count)).scalar_one() >= most:
        raise Conflict(f"too_many_{what}", f"There may be {most} {what}, also of those that are retired: {instead}.")
