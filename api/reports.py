"""How well targets are met, and how the queues stand: for those who lead."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.auth.caller import allow
from api.http.responses import Id, ResponseBody, respond
from api.http.transaction import CurrentCaller, Now, Session, TransactionRoute
from api.tickets.filters import FEW, split
from api.tickets.requests import Id as WantedId
from api.tickets.requests import Instant
from models.errors import Invalid
from models.people.permissions import Permission
from models.reports.queues import report_queues
from models.reports.sla import Dimension, Figures, Question, report_sla
from models.sla.policy import Metric
from models.tickets.lifecycle import Priority
from models.value import AtMost

router = APIRouter(prefix="/reports", tags=["reports"], route_class=TransactionRoute)
USUAL = timedelta(days=30)


def _dimensions(value: Any) -> Any:
    parts = split(value)
    return [] if parts == ["none"] else parts


_Ids = Annotated[list[WantedId], AtMost(FEW), BeforeValidator(split)]
_Named = Annotated[list[Dimension | Literal["none"]], Field(max_length=len(Dimension))]
_Dimensions = Annotated[list[Dimension], AtMost(len(Dimension)), BeforeValidator(_dimensions, json_schema_input_type=_Named)]
_End = Annotated[Instant, Field(ge=datetime(1970, 1, 1, tzinfo=UTC))]


class SlaQuery(BaseModel):
    """Of one filter any value may hold, of several all must. They and the groups are of the ticket as the cycle was attributed."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)

    from_: Annotated[_End | None, Field(alias="from", description="30 days before `to` unless given; belongs to the range")] = None
    to: Annotated[_End | None, Field(description="now unless given; does not belong to the range")] = None
    group_by: Annotated[_Dimensions, Field(description="`none` alone is one row for everything")] = [Dimension.METRIC]
    metric: Annotated[list[Metric], AtMost(FEW), BeforeValidator(split)] = []
    priority: Annotated[list[Priority], AtMost(FEW), BeforeValidator(split)] = []
    team_id: _Ids = []
    agent_id: _Ids = []
    organizer_id: _Ids = []

    def question(self, organizer_ids: tuple[int, ...] | None, now: datetime) -> Question:
        """What to ask for: only figures of the token's organizers, if it names some.

        Raises:
            Invalid: the range is empty.
        """
        until = self.to or now
        since = self.from_ or until - USUAL
        if since >= until:
            raise Invalid("empty_range", "`from` has to be before `to`.", "/query/from")
        filters = self.model_dump(exclude={"from_", "to"})
        return Question(since=since, until=until, allowed_organizer_ids=organizer_ids, **filters)


class SlaFiguresResponse(ResponseBody):
    """``metric``, ``priority``, ``teamId`` and ``agentId`` are there if the report is grouped by them; null means no team, or no agent.

    ``met`` and ``breached`` count the cycles with that result in the range; ``medianSeconds`` and ``p90Seconds`` are of the business
    time used by the cycles that ended in it.
    """

    metric: Metric | None = None
    priority: Priority | None = None
    team_id: Id | None = None
    agent_id: Id | None = None
    met: int
    breached: int
    met_ratio: float | None
    median_seconds: int | None
    p90_seconds: int | None


class SlaReportResponse(ResponseBody):
    from_: datetime = Field(alias="from")
    to: datetime
    group_by: list[Dimension]
    data: list[SlaFiguresResponse]


class QueueResponse(ResponseBody):
    team_id: Id
    name: str
    open: int
    unassigned: int
    breached: int
    imminent: int
    oldest_waiting_at: datetime | None
    agents_available: int
    capacity_left: int


class QueuesResponse(ResponseBody):
    data: list[QueueResponse]


@router.get("/sla", response_model=SlaReportResponse, dependencies=[allow(Permission.READ_REPORTS)])
async def report_on_sla(query: Annotated[SlaQuery, Query()], session: Session, caller: CurrentCaller, now: Now) -> Response:
    """Cycles met and breached in a range of any length, and the business time that those which ended in it had used."""
    question = query.question(caller.claims.organizer_ids, now)
    data = [_figures(each) for each in await report_sla(session, question)]
    report = SlaReportResponse(from_=question.since, to=question.until, group_by=list(question.group_by), data=data)
    return Response(report.model_dump_json(by_alias=True, exclude_unset=True), media_type="application/json")


@router.get("/queues", response_model=QueuesResponse, dependencies=[allow(Permission.READ_REPORTS)])
async def report_on_queues(session: Session, caller: CurrentCaller, now: Now) -> Response:
    """What each team has to do now, and who is there to do it."""
    queues = await report_queues(session, now, caller.claims.organizer_ids)
    return respond(QueuesResponse(data=[QueueResponse.model_validate(queue) for queue in queues]))


def _figures(figures: Figures) -> SlaFiguresResponse:
    counted = {name: value for name, value in figures._asdict().items() if name != "by"}
    return SlaFiguresResponse(**figures.by, **counted, met_ratio=figures.met_ratio)
