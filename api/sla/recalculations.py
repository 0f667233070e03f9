"""The newest version of a rule is brought to the tickets that are open, by a job."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.auth.caller import AdminCaller
from api.http.transaction import InUnit, Work
from api.job_views import JobView
from api.jobs import begun
from api.sla.configuration import KINDS, Kind, id_of
from models.jobs.tables import JobKind
from models.sla.configuration import held

router = APIRouter(tags=["rules"])


def _add(of: Kind) -> None:
    configuration_id_of = id_of(of)

    @router.post(
        f"{of.path}/{{{of.kind}_id}}/recalculations",
        status_code=202,
        name=f"recalculate_{of.kind}",
        response_model=JobView,
        summary="Move every open ticket that it concerns to the newest version: what was spent stays spent",
    )
    async def recalculate(configuration_id: Annotated[int, Depends(configuration_id_of)], unit: InUnit, _admin: AdminCaller) -> Response:
        async def work(work: Work) -> Response:
            newest = await held(work.session, of.kind, configuration_id)
            return await begun(work, JobKind.RECALCULATION, {"rule": of.kind, "ruleId": str(configuration_id), "version": newest.version})

        return await unit.write(work)


for each in KINDS:
    _add(each)
