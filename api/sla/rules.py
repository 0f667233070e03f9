"""What a merchant has agreed upon: calendars, SLA policies and escalation ladders, each in versions that never change.

The three kinds have the same routes. Staff reads them; an admin or an operator publishes.
"""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Path, Response
from sqlmodel import col

from api.auth.caller import AdminCaller, StaffCaller
from api.errors import PreconditionFailed
from api.http.pagination import Order, Page, Paged
from api.http.path import Version, known
from api.http.transaction import InUnit, Work, answer, etag
from api.sla.requests import CalendarBody, LadderBody, PolicyBody
from api.sla.responses import CalendarView, LadderView, PolicyView, RuleView, shown
from models.errors import NotFound
from models.sla.configuration import Definition, current, held, newest, publish_first, publish_next, versions
from models.sla.tables import Rule, RuleKind

router = APIRouter(tags=["rules"])
_page: Any = Page  # a parameter that is known at run time only


class Kind(NamedTuple):
    kind: RuleKind
    path: str
    plural: str
    body: type[Definition]
    view: type[RuleView]


KINDS = (
    Kind(RuleKind.CALENDAR, "/calendars", "calendars", CalendarBody, CalendarView),
    Kind(RuleKind.POLICY, "/sla-policies", "sla_policies", PolicyBody, PolicyView),
    Kind(RuleKind.LADDER, "/escalation-ladders", "escalation_ladders", LadderBody, LadderView),
)


def _add_reading(of: Kind) -> None:
    name, one, rule_id_of = of.kind, f"{of.path}/{{{of.kind}_id}}", id_of(of)

    @router.get(of.path, name=f"list_{of.plural}", response_model=_page[of.view], summary=f"The current version of each {name}")
    async def list_rules(unit: InUnit, _staff: StaffCaller, pager: Paged) -> Response:
        async with unit.reading() as session:
            rows, end = await pager.page(session, newest(session, of.kind), Order(Rule.id, Rule.id))
        return pager.answer([shown(row, of.view) for row in rows], end)

    @router.get(one, name=f"get_{name}", response_model=of.view, summary=f"The current version of a {name}")
    async def get_rule(rule_id: Annotated[int, Depends(rule_id_of)], unit: InUnit, _staff: StaffCaller) -> Response:
        async with unit.reading() as session:
            return _answer(of, await current(session, of.kind, rule_id))

    @router.get(f"{one}/versions", name=f"list_{name}_versions", response_model=_page[of.view], summary="Every version, the newest first")
    async def list_versions(rule_id: Annotated[int, Depends(rule_id_of)], unit: InUnit, _staff: StaffCaller, pager: Paged) -> Response:
        async with unit.reading() as session:
            await current(session, of.kind, rule_id)
            newest_first = Order(Rule.version, Rule.version, is_descending=True)
            rows, end = await pager.page(session, versions(session, of.kind, rule_id), newest_first)
        return pager.answer([shown(row, of.view) for row in rows], end)

    @router.get(
        f"{one}/versions/{{version}}", name=f"get_{name}_version", response_model=of.view, summary="One version, as it was published"
    )
    async def get_version(rule_id: Annotated[int, Depends(rule_id_of)], version: Version, unit: InUnit, _staff: StaffCaller) -> Response:
        async with unit.reading() as session:
            wanted = versions(session, of.kind, rule_id).where(col(Rule.version) == version)
            rule = (await session.execute(wanted)).scalar_one_or_none()
        if rule is None:
            raise NotFound(of.kind)
        return _answer(of, rule)


def _add_publishing(of: Kind) -> None:
    name, definition, rule_id_of = of.kind, of.body, id_of(of)

    @router.post(of.path, status_code=201, name=f"create_{name}", response_model=of.view, summary=f"Publish a new {name}")
    async def create_rule(body: definition, unit: InUnit, _admin: AdminCaller) -> Response:  # type: ignore[valid-type]
        async def work(work: Work) -> Response:
            rule = await publish_first(work.session, of.kind, body, work.change)
            return _answer(of, rule, location=f"{of.path}/{rule.id}")

        return await unit.write(work)

    @router.post(
        f"{of.path}/{{{name}_id}}/versions",
        status_code=201,
        name=f"publish_{name}_version",
        response_model=of.view,
        summary="Publish the next version, a whole new definition",
        description="New tickets are opened under it at once; a ticket keeps the version under which it was opened.",
    )
    async def publish_version(
        rule_id: Annotated[int, Depends(rule_id_of)],
        body: definition,  # type: ignore[valid-type]
        unit: InUnit,
        _admin: AdminCaller,
    ) -> Response:
        async def work(work: Work) -> Response:
            before = await held(work.session, of.kind, rule_id)
            if work.is_stale(before.version):
                raise PreconditionFailed(current=shown(before, of.view).model_dump(mode="json", by_alias=True))
            rule = await publish_next(work.session, before, body, work.change)
            return _answer(of, rule, location=f"{of.path}/{rule.id}/versions/{rule.version}")

        return await unit.write(work)


def id_of(of: Kind) -> Any:
    name = f"{of.kind}_id"

    async def rule_id(text: Annotated[str, Path(alias=name, description=f"a {of.kind}'s id")]) -> int:
        return known(text)

    return rule_id


def _answer(of: Kind, rule: Rule, location: str | None = None) -> Response:
    headers = {"ETag": etag(rule.version)}
    if location is None:
        return answer(shown(rule, of.view), headers=headers)
    return answer(shown(rule, of.view), 201, headers | {"Location": f"/v1/api/helpdesk{location}"})


for each in KINDS:
    _add_reading(each)
    _add_publishing(each)
