"""The merchant's teams, and the categories that lead to them."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlmodel import col

from api.auth.caller import Caller, allow
from api.http.headers import IfMatch, NeededIfMatch
from api.http.pagination import Order, Page, Paged
from api.http.path import CategoryName, TeamId
from api.http.responses import Id, ResponseBody, location, respond
from api.http.transaction import CurrentCaller, CurrentChange, Session, TransactionRoute
from api.http.versions import Versioned, require_match, respond_versioned
from api.tickets.requests import CategoryName as CategoryText
from api.tickets.requests import Id as IdIn
from api.tickets.requests import Name, Skills
from models.errors import NotFound
from models.people.audit import edit
from models.people.permissions import Permission
from models.people.tables import Category, Team
from models.people.teams import NewCategory, add_category, add_team, edit_category, held_category, held_team, retire_category, retire_team
from models.sla.rulebook import rulebook
from models.value import Value

router = APIRouter(tags=["people"], route_class=TransactionRoute)


class TeamBody(Value):
    name: Name


class CategoryBody(NewCategory):
    """``isDefault``: a ticket that names no category gets this one; the one that was the default is it no more. ``skills``: its tickets are
    given to agents of the team who have all of them."""

    name: CategoryText
    team_id: IdIn
    skills: Skills = ()
    is_default: bool = False


class EditCategory(Value):
    """A JSON merge patch (RFC 7396): what is left out stays. The name stays, too: tickets and policies have it."""

    team_id: IdIn = 0
    skills: Skills = ()
    is_default: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """Those of the category's row that are named."""
        named = {"team_id": self.team_id, "skills": list(self.skills)}
        return {name: value for name, value in named.items() if name in self.model_fields_set}


class TeamResponse(Versioned):
    """``retiredAt``: since then nobody joins it."""

    id: Id
    name: str
    retired_at: datetime | None


class CategoryResponse(Versioned):
    """``retiredAt``: since then no ticket gets it; those that have it keep it."""

    name: str
    team_id: Id
    skills: list[str]
    is_default: bool
    retired_at: datetime | None


class ReporterCategoryResponse(ResponseBody):
    """What a reporter has to know to choose one."""

    name: str
    is_default: bool


AnyCategory = CategoryResponse | ReporterCategoryResponse


@router.get("/teams", response_model=Page[TeamResponse], dependencies=[allow(Permission.READ_TEAMS)])
async def list_teams(session: Session, pager: Paged) -> Response:
    """The teams that are not retired."""
    teams = sa.select(Team).where(col(Team.merchant_id) == session.merchant_id, col(Team.retired_at).is_(None))
    rows, end = await pager.page(session, teams, Order(Team.id, Team.id))
    return pager.respond([TeamResponse.model_validate(row) for row in rows], end)


@router.post("/teams", status_code=201, response_model=TeamResponse, dependencies=[allow(Permission.EDIT_TEAMS)])
async def create_team(body: TeamBody, session: Session, change: CurrentChange) -> Response:
    """Add a team. Agents join it by POST or PATCH /agents, tickets come to it by categories and assignment."""
    team = await add_team(session, body.name, change)
    return respond_versioned(TeamResponse.model_validate(team), 201, location(f"/teams/{team.id}"))


@router.get("/teams/{team_id}", response_model=TeamResponse, dependencies=[allow(Permission.READ_TEAMS)])
async def get_team(team_id: TeamId, session: Session) -> Response:
    """One team, also a retired one."""
    team = await session.get(Team, (session.merchant_id, team_id))
    if team is None:
        raise NotFound("team")
    return respond_versioned(TeamResponse.model_validate(team))


@router.patch("/teams/{team_id}", response_model=TeamResponse, dependencies=[allow(Permission.EDIT_TEAMS)])
async def edit_team(team_id: TeamId, body: TeamBody, session: Session, change: CurrentChange, if_match: NeededIfMatch) -> Response:
    """Rename a team."""
    team = await held_team(session, team_id)
    require_match(TeamResponse.model_validate(team), if_match)
    await edit(session, team, {"name": body.name}, change, "team.edited")
    return respond_versioned(TeamResponse.model_validate(team))


@router.delete("/teams/{team_id}", status_code=204, dependencies=[allow(Permission.EDIT_TEAMS)])
async def delete_team(team_id: TeamId, session: Session, change: CurrentChange, if_match: IfMatch = None) -> Response:
    """Retire a team. While open tickets, agents or categories stand on it, it is refused (409 ``team_in_use``)."""
    team = await held_team(session, team_id)
    require_match(TeamResponse.model_validate(team), if_match)
    await retire_team(session, team, change)
    return Response(status_code=204)


@router.get(
    "/categories", response_model=Page[CategoryResponse] | Page[ReporterCategoryResponse], dependencies=[allow(Permission.READ_CATEGORIES)]
)
async def list_categories(session: Session, pager: Paged, caller: CurrentCaller) -> Response:
    """The categories that are not retired, the default first. A reporter sees the names, and which one is the default."""
    mine = sa.select(Category).where(col(Category.merchant_id) == session.merchant_id, col(Category.retired_at).is_(None))
    rows, end = await pager.page(session, mine, Order(Category.position, Category.id))
    default = await _default(session)
    return pager.respond([_shown_to(caller, row, default) for row in rows], end)


@router.post("/categories", status_code=201, response_model=CategoryResponse, dependencies=[allow(Permission.EDIT_TEAMS)])
async def create_category(body: CategoryBody, session: Session, change: CurrentChange) -> Response:
    """Add a category; a retired one of this name comes back. An existing one is refused (409 ``category_exists``)."""
    category = await add_category(session, body, change)
    shown = _shown(category, await _default(session))
    return respond_versioned(shown, 201, location(f"/categories/{quote(category.name, safe='')}"))


@router.get("/categories/{name}", response_model=AnyCategory, dependencies=[allow(Permission.READ_CATEGORIES)])
async def get_category(name: CategoryName, session: Session, caller: CurrentCaller) -> Response:
    """One category; for the staff also a retired one."""
    category = (await session.execute(sa.select(Category).where(col(Category.name) == name))).scalar_one_or_none()
    if category is None or (category.retired_at and not caller.viewer.is_staff):
        raise NotFound("category")
    shown = _shown_to(caller, category, await _default(session))
    return respond_versioned(shown) if isinstance(shown, CategoryResponse) else respond(shown)


@router.patch("/categories/{name}", response_model=CategoryResponse, dependencies=[allow(Permission.EDIT_TEAMS)])
async def change_category(
    name: CategoryName, body: EditCategory, session: Session, change: CurrentChange, if_match: NeededIfMatch
) -> Response:
    """Give a category another team or other skills, for tickets that are assigned from now on, or make it the default."""
    category = await held_category(session, name)
    require_match(_shown(category, await _default(session)), if_match)
    is_default = body.is_default if "is_default" in body.model_fields_set else None
    await edit_category(session, category, body.columns, change, is_default=is_default)
    return respond_versioned(_shown(category, await _default(session)))


@router.delete("/categories/{name}", status_code=204, dependencies=[allow(Permission.EDIT_TEAMS)])
async def delete_category(name: CategoryName, session: Session, change: CurrentChange, if_match: IfMatch = None) -> Response:
    """Retire a category: its tickets keep it. The only one, and one that a policy names, is refused (409 ``category_in_use``)."""
    category = await held_category(session, name)
    require_match(_shown(category, await _default(session)), if_match)
    await retire_category(session, category, change)
    return Response(status_code=204)


async def _default(session: Session) -> str | None:
    return next(iter((await rulebook(session)).categories), None)


def _shown(category: Category, default: str | None) -> CategoryResponse:
    fields = category.model_dump(include={"name", "team_id", "skills", "retired_at", "version"})
    return CategoryResponse(**fields, is_default=category.name == default)


def _shown_to(caller: Caller, category: Category, default: str | None) -> CategoryResponse | ReporterCategoryResponse:
    shown = _shown(category, default)
    return shown if caller.viewer.is_staff else ReporterCategoryResponse(name=shown.name, is_default=shown.is_default)
