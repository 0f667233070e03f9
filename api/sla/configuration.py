"""What a merchant has agreed upon: calendars, SLA policies and escalation ladders, each in versions that never change.

The three kinds have the same routes. Staff reads them; an admin or an operator publishes.
"""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Path, Response
from sqlmodel import col

from api.auth.caller import AdminCaller, StaffCaller
from api.http.pagination import Order, Page, Paged
from api.http.path import Version, known
from api.http.transaction import InUnit, Work, etag, respond
from api.sla.requests import CalendarBody, LadderBody, PolicyBody
from api.sla.responses import CalendarView, ConfigurationView, LadderView, PolicyView, shown
from models.errors import NotFound, PreconditionFailed
from models.sla.configuration import Definition, current, held, newest, publish_first, publish_next, versions
from models.sla.tables import ConfigurationKind, ConfigurationVersion

router = APIRouter(tags=["rules"])
_page: Any = Page  # a parameter that is known at run time only


class Kind(NamedTuple):
    kind: ConfigurationKind
    path: str
    plural: str
    body: type[Definition]
    view: type[ConfigurationView]


KINDS = (
    Kind(ConfigurationKind.CALENDAR, "/calendars", "calendars", CalendarBody, CalendarView),
    Kind(ConfigurationKind.POLICY, "/sla-policies", "sla_policies", PolicyBody, PolicyView),
    Kind(ConfigurationKind.LADDER, "/escalation-ladders", "escalation_ladders", LadderBody, LadderView),
)


def _add_reading(of: Kind) -> None:
    name, one, configuration_id_of = of.kind, f"{of.path}/{{{of.kind}_id}}", id_of(of)

    @router.get(of.path, name=f"list_{of.plural}", response_model=_page[of.view], summary=f"The current version of each {name}")
    async def list_configurations(unit: InUnit, _staff: StaffCaller, pager: Paged) -> Response:
        async with unit.reading() as session:
            rows, end = await pager.page(session, newest(session, of.kind), Order(ConfigurationVersion.id, ConfigurationVersion.id))
        return pager.respond([shown(row, of.view) for row in rows], end)

    @router.get(one, name=f"get_{name}", response_model=of.view, summary=f"The current version of a {name}")
    async def get_configuration(
        configuration_id: Annotated[int, Depends(configuration_id_of)], unit: InUnit, _staff: StaffCaller
    ) -> Response:
        async with unit.reading() as session:
            return _answer(of, await current(session, of.kind, configuration_id))

    @router.get(f"{one}/versions", name=f"list_{name}_versions", response_model=_page[of.view], summary="Every version, the newest first")
    async def list_versions(
        configuration_id: Annotated[int, Depends(configuration_id_of)], unit: InUnit, _staff: StaffCaller, pager: Paged
    ) -> Response:
        async with unit.reading() as session:
            await current(session, of.kind, configuration_id)
            newest_first = Order(ConfigurationVersion.version, ConfigurationVersion.version, is_descending=True)
            rows, end = await pager.page(session, versions(session, of.kind, configuration_id), newest_first)
        return pager.respond([shown(row, of.view) for row in rows], end)

    @router.get(
        f"{one}/versions/{{version}}", name=f"get_{name}_version", response_model=of.view, summary="One version, as it was published"
    )
    async def get_version(
        configuration_id: Annotated[int, Depends(configuration_id_of)], version: Version, unit: InUnit, _staff: StaffCaller
    ) -> Response:
        async with unit.reading() as session:
            wanted = versions(session, of.kind, configuration_id).where(col(ConfigurationVersion.version) == version)
            configuration = (await session.execute(wanted)).scalar_one_or_none()
        if configuration is None:
            raise NotFound(of.kind)
        return _answer(of, configuration)


def _add_publishing(of: Kind) -> None:
    name, definition, configuration_id_of = of.kind, of.body, id_of(of)

    @router.post(of.path, status_code=201, name=f"create_{name}", response_model=of.view, summary=f"Publish a new {name}")
    async def create_configuration(body: definition, unit: InUnit, _admin: AdminCaller) -> Response:  # type: ignore[valid-type]
        async def work(work: Work) -> Response:
            configuration = await publish_first(work.session, of.kind, body, work.change)
            return _answer(of, configuration, location=f"{of.path}/{configuration.id}")

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
        configuration_id: Annotated[int, Depends(configuration_id_of)],
        body: definition,  # type: ignore[valid-type]
        unit: InUnit,
        _admin: AdminCaller,
    ) -> Response:
        async def work(work: Work) -> Response:
            before = await held(work.session, of.kind, configuration_id)
            if work.is_stale(before.version):
                raise PreconditionFailed(current=shown(before, of.view).model_dump(mode="json", by_alias=True))
            configuration = await publish_next(work.session, before, body, work.change)
            return _answer(of, configuration, location=f"{of.path}/{configuration.id}/versions/{configuration.version}")

        return await unit.write(work)


def id_of(of: Kind) -> Any:
    name = f"{of.kind}_id"

    async def configuration_id(text: Annotated[str, Path(alias=name, description=f"a {of.kind}'s id")]) -> int:
        return known(text)

    return configuration_id


def _answer(of: Kind, configuration: ConfigurationVersion, location: str | None = None) -> Response:
    headers = {"ETag": etag(configuration.version)}
    if location is None:
        return respond(shown(configuration, of.view), headers=headers)
    return respond(shown(configuration, of.view), 201, headers | {"Location": f"/v1/api/helpdesk{location}"})


for each in KINDS:
    _add_reading(each)
    _add_publishing(each)
