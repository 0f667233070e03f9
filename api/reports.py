"""How well promises are kept, and how the queues stand: for those who lead."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.auth.caller import LEADING
from api.http.transaction import InUnit, respond
from api.report_query import SlaQuery
from api.report_views import QueuesView, QueueView, SlaFiguresView, SlaReportView
from models.reports.queues import report_queues
from models.reports.sla import Figures, report_sla

router = APIRouter(prefix="/reports", tags=["reports"])


@router.get("/sla", response_model=SlaReportView)
async def report_on_sla(query: Annotated[SlaQuery, Query()], unit: InUnit) -> Response:
    """Cycles met and breached in a range of any length, and the business time that those which ended in it had used."""
    unit.caller.require(LEADING)
    question = query.question(unit.caller, unit.context.now())
    async with unit.reading() as session:
        figures = await report_sla(session, question)
    view = SlaReportView(from_=question.since, to=question.until, group_by=list(question.group_by), data=[_view(each) for each in figures])
    return Response(view.model_dump_json(by_alias=True, exclude_unset=True), media_type="application/json")


@router.get("/queues", response_model=QueuesView)
async def report_on_queues(unit: InUnit) -> Response:
    """What each team has to do now, and who is there to do it."""
    unit.caller.require(LEADING)
    async with unit.reading() as session:
        queues = await report_queues(session, unit.context.now(), unit.caller.claims.organizer_ids)
    return respond(QueuesView(data=[QueueView.model_validate(queue) for queue in queues]))


def _view(figures: Figures) -> SlaFiguresView:
    said = {name: value for name, value in figures._asdict().items() if name != "by"}
    return SlaFiguresView(**figures.by, **said, met_ratio=figures.met_ratio)
