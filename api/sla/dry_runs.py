"""A definition is tried before it is published: over open tickets, which is a job, or on a ticket that is only thought of."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.auth.caller import AdminCaller
from api.http.transaction import InUnit, Work, answer
from api.job_views import JobView
from api.jobs import begun
from api.sla.preview_requests import Preview, Proposal, ProposedPolicy, SampleBody
from api.sla.prospect import prospect_view
from api.sla.responses import ProspectView
from api.sla.rules import KINDS, Kind, id_of
from models.jobs.tables import JobKind
from models.sla.configuration import Definition, current, require_sound
from models.sla.forecast import prospect
from models.sla.rulebook import UNBORN, Rulebook, rulebook
from models.sla.tables import RuleKind

router = APIRouter(tags=["rules"])
_proposal: Any = Proposal
_ABOUT: dict[str, Any] = {
    "status_code": 202,
    "response_model": JobView,
    "responses": {200: {"model": ProspectView, "description": "With `ticketSample`: which policy would be its, and when what is due"}},
}


def _add(of: Kind) -> None:
    rule_id_of = id_of(of)
    body_of: Any = _proposal[of.body]  # known at run time only

    @router.post(
        f"{of.path}/{{{of.kind}_id}}/preview",
        name=f"dry_run_{of.kind}",
        summary="A dry run: how many open tickets a definition would time anew, and which would be overdue at once; or what a sample gets",
        **_ABOUT,
    )
    async def preview(
        rule_id: Annotated[int, Depends(rule_id_of)],
        unit: InUnit,
        _admin: AdminCaller,
        body: body_of | None = None,
    ) -> Response:
        return await _tried(unit, of.kind, rule_id, body or Preview(), body.definition if body else None)


@router.post(
    "/sla-policies/preview",
    name="dry_run_new_policy",
    summary="A dry run of a policy that is not there yet: which open tickets it would take, by its position; or what a sample gets",
    **_ABOUT,
)
async def preview_new_policy(body: ProposedPolicy, unit: InUnit, _admin: AdminCaller) -> Response:
    return await _tried(unit, RuleKind.POLICY, UNBORN, body, body.definition)


async def _tried(unit: InUnit, kind: RuleKind, rule_id: int, body: Preview, proposed: Definition | None) -> Response:
    async def work(work: Work) -> Response:
        if body.ticket_sample is not None:
            return await _foretold(work, kind, rule_id, body.ticket_sample, proposed)
        request = await _request(work, kind, rule_id, proposed)
        if body.filter is not None:
            request["filter"] = body.filter.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return await begun(work, JobKind.PREVIEW, request)

    return await unit.write(work)


async def _request(work: Work, kind: RuleKind, rule_id: int, proposed: Definition | None) -> dict[str, object]:
    request: dict[str, object] = {"rule": kind}
    if rule_id != UNBORN:
        request |= {"ruleId": str(rule_id), "version": (await current(work.session, kind, rule_id)).version}
    if proposed is not None:
        request["definition"] = await _sound(work, rule_id, proposed)
    return request


async def _foretold(work: Work, kind: RuleKind, rule_id: int, sample: SampleBody, proposed: Definition | None) -> Response:
    """A proposed calendar is laid out beside the event loop."""
    book, opened_at = await _book(work, kind, rule_id, proposed), sample.created_at or work.change.at
    return answer(prospect_view(await asyncio.to_thread(prospect, book, sample, opened_at), opened_at))


async def _book(work: Work, kind: RuleKind, rule_id: int, proposed: Definition | None) -> Rulebook:
    if rule_id != UNBORN:
        await current(work.session, kind, rule_id)
    book = await rulebook(work.session)
    return book if proposed is None else book.proposing(kind, rule_id, await _sound(work, rule_id, proposed))


async def _sound(work: Work, rule_id: int, proposed: Definition) -> dict[str, Any]:
    """What may be published, as it would be stored."""
    await require_sound(work.session, proposed, work.change.at, rule_id=rule_id, place="/definition")
    return proposed.model_dump(mode="json", by_alias=True)


for each in KINDS:
    _add(each)
