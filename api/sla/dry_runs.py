"""A definition is tried before it is published: over open tickets, which is a job, or on a ticket that is only thought of."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.auth.caller import AdminCaller
from api.http.transaction import InUnit, Work, respond
from api.job_views import JobView
from api.jobs import begun
from api.sla.configuration import KINDS, Kind, id_of
from api.sla.forecast import forecast_view
from api.sla.preview_requests import Preview, Proposal, ProposedPolicy, SampleBody
from api.sla.responses import ForecastView
from models.jobs.tables import JobKind
from models.sla.configuration import Definition, current, require_sound
from models.sla.forecast import forecast
from models.sla.rulebook import PROPOSED, Rulebook, rulebook
from models.sla.tables import ConfigurationKind

router = APIRouter(tags=["rules"])
_proposal: Any = Proposal
_ABOUT: dict[str, Any] = {
    "status_code": 202,
    "response_model": JobView,
    "responses": {200: {"model": ForecastView, "description": "With `ticketSample`: which policy would be its, and when what is due"}},
}


def _add(of: Kind) -> None:
    configuration_id_of = id_of(of)
    body_of: Any = _proposal[of.body]  # known at run time only

    @router.post(
        f"{of.path}/{{{of.kind}_id}}/preview",
        name=f"dry_run_{of.kind}",
        summary="A dry run: how many open tickets a definition would time anew, and which would be overdue at once; or what a sample gets",
        **_ABOUT,
    )
    async def preview(
        configuration_id: Annotated[int, Depends(configuration_id_of)],
        unit: InUnit,
        _admin: AdminCaller,
        body: body_of | None = None,
    ) -> Response:
        return await _tried(unit, of.kind, configuration_id, body or Preview(), body.definition if body else None)


@router.post(
    "/sla-policies/preview",
    name="dry_run_new_policy",
    summary="A dry run of a policy that is not there yet: which open tickets it would take, by its position; or what a sample gets",
    **_ABOUT,
)
async def preview_new_policy(body: ProposedPolicy, unit: InUnit, _admin: AdminCaller) -> Response:
    return await _tried(unit, ConfigurationKind.POLICY, PROPOSED, body, body.definition)


async def _tried(unit: InUnit, kind: ConfigurationKind, configuration_id: int, body: Preview, proposed: Definition | None) -> Response:
    async def work(work: Work) -> Response:
        if body.ticket_sample is not None:
            return await _forecast(work, kind, configuration_id, body.ticket_sample, proposed)
        request = await _request(work, kind, configuration_id, proposed)
        if body.filter is not None:
            request["filter"] = body.filter.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return await begun(work, JobKind.PREVIEW, request)

    return await unit.write(work)


async def _request(work: Work, kind: ConfigurationKind, configuration_id: int, proposed: Definition | None) -> dict[str, object]:
    request: dict[str, object] = {"rule": kind}
    if configuration_id != PROPOSED:
        request |= {"ruleId": str(configuration_id), "version": (await current(work.session, kind, configuration_id)).version}
    if proposed is not None:
        request["definition"] = await _sound(work, configuration_id, proposed)
    return request


async def _forecast(
    work: Work, kind: ConfigurationKind, configuration_id: int, sample: SampleBody, proposed: Definition | None
) -> Response:
    """A proposed calendar is laid out beside the event loop."""
    book, opened_at = await _book(work, kind, configuration_id, proposed), sample.created_at or work.change.at
    return respond(forecast_view(await asyncio.to_thread(forecast, book, sample, opened_at), opened_at))


async def _book(work: Work, kind: ConfigurationKind, configuration_id: int, proposed: Definition | None) -> Rulebook:
    if configuration_id != PROPOSED:
        await current(work.session, kind, configuration_id)
    book = await rulebook(work.session)
    return book if proposed is None else book.proposing(kind, configuration_id, await _sound(work, configuration_id, proposed))


async def _sound(work: Work, configuration_id: int, proposed: Definition) -> dict[str, Any]:
    """What may be published, as it would be stored."""
    await require_sound(work.session, proposed, work.change.at, configuration_id=configuration_id, place="/definition")
    return proposed.model_dump(mode="json", by_alias=True)


for each in KINDS:
    _add(each)
