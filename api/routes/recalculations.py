"""A new version of a rule over the tickets that are open: first what it would do, then doing it. Both are jobs."""

from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from api.caller import AdminCaller
from api.job_views import JobView
from api.routes.jobs import begun
from api.routes.rules import KINDS, Kind, id_of
from api.unit import InUnit, Work
from models.operations.publish import Definition, current, held, require_sound
from models.policy.value import Value
from models.tables.job import JobKind

router = APIRouter(tags=["rules"])
_T = TypeVar("_T", bound=BaseModel)


class Proposal(Value, Generic[_T]):
    """Without a definition the newest version itself is tried."""

    definition: _T | None = None


_proposal: Any = Proposal


def _add(of: Kind) -> None:
    one, rule_id_of = f"{of.path}/{{{of.kind}_id}}", id_of(of)
    body_of: Any = _proposal[of.body]  # known at run time only

    @router.post(
        f"{one}/preview",
        status_code=202,
        name=f"dry_run_{of.kind}",
        response_model=JobView,
        summary="A dry run: how many open tickets a definition would time anew, and which would be overdue at once",
    )
    async def preview(
        rule_id: Annotated[int, Depends(rule_id_of)],
        unit: InUnit,
        _admin: AdminCaller,
        body: body_of | None = None,
    ) -> Response:
        return await _begin(unit, of, rule_id, JobKind.PREVIEW, body.definition if body else None)

    @router.post(
        f"{one}/recalculations",
        status_code=202,
        name=f"recalculate_{of.kind}",
        response_model=JobView,
        summary="Move every open ticket that it concerns to the newest version: what was spent stays spent",
    )
    async def recalculate(rule_id: Annotated[int, Depends(rule_id_of)], unit: InUnit, _admin: AdminCaller) -> Response:
        return await _begin(unit, of, rule_id, JobKind.RECALCULATION)


async def _begin(unit: InUnit, of: Kind, rule_id: int, job: JobKind, proposed: Definition | None = None) -> Response:
    async def work(work: Work) -> Response:
        newest = await (held if job is JobKind.RECALCULATION else current)(work.session, of.kind, rule_id)
        request: dict[str, object] = {"rule": of.kind, "ruleId": str(rule_id), "version": newest.version}
        if proposed is not None:
            await require_sound(work.session, proposed, work.change.at, rule_id=rule_id, place="/definition")
            request["definition"] = proposed.model_dump(mode="json", by_alias=True)
        return await begun(work, job, request)

    return await unit.write(work)


for each in KINDS:
    _add(each)
