"""Calendars, policies and ladders as clients see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from api.http.responses import Id, ResponseBody
from api.tickets.responses import ActorResponse
from models.audit import Actor
from models.sla.calendar import Holiday, Weekly
from models.sla.deadlines import ESCALATE, WARN, Deadline
from models.sla.forecast import Forecast, ForecastClock
from models.sla.ladder import Rung
from models.sla.order import Placed, Reason
from models.sla.policy import Metric, OnReopen, PauseOn, Targets
from models.sla.rulebook import PROPOSED
from models.sla.tables import ConfigurationVersion
from models.tickets.lifecycle import Priority

_T = TypeVar("_T", bound="ConfigurationResponse")


class ConfigurationResponse(ResponseBody):
    """One version of a calendar, policy or ladder, and who published it."""

    id: Id
    version: int
    name: str
    created_at: datetime
    created_by: ActorResponse


class CalendarResponse(ConfigurationResponse):
    time_zone: str
    weekly: Weekly
    holidays: tuple[Holiday, ...]
    holiday_country: str | None
    holiday_subdivision: str | None


class MatchResponse(ResponseBody):
    priorities: tuple[Priority, ...]
    categories: tuple[str, ...]
    organizer_ids: tuple[Id, ...]
    tags: tuple[str, ...]


class PolicyResponse(ConfigurationResponse):
    position: int
    match: MatchResponse
    calendar_id: Id
    ladder_id: Id | None
    targets: dict[Priority, Targets]
    pause_on: PauseOn
    warn_at_fractions: tuple[float, ...]
    on_reopen: OnReopen
    survey_after_seconds: int | None


class LadderResponse(ConfigurationResponse):
    rungs: tuple[Rung, ...]


class DueResponse(ResponseBody):
    due_at: datetime


class ElapsedResponse(ResponseBody):
    elapsed_seconds: int


class ChosenResponse(ResponseBody):
    """``id`` is null if it is a policy that is only proposed."""

    id: Id | None
    version: int
    name: str
    calendar_id: Id
    calendar_version: int
    ladder_id: Id | None
    ladder_version: int | None


class PlaceResponse(ResponseBody):
    """Where a policy stands; ``id`` is null if it is only proposed."""

    id: Id | None
    name: str
    position: int


class PolicyOrderResponse(ResponseBody):
    """A ticket gets the first that matches."""

    data: list[PlaceResponse]


class RungDueResponse(ResponseBody):
    level: int
    due_at: datetime


class ForecastClockResponse(ResponseBody):
    """Counted from `createdAt`, also the next response; ``dueAt`` is null if the clock stands still in a new ticket."""

    metric: Metric
    target_seconds: int
    due_at: datetime | None
    warnings_at: list[datetime]
    rungs: list[RungDueResponse]


class ForecastResponse(ResponseBody):
    """The targets of a ticket like the one described; without a policy none.

    ``wonBy`` is the policy that such a ticket gets. ``reason`` says why the tried one does not win: its conditions do not hold
    (`no_match`), the other has a lower position (`lower_position`), or at the same position more conditions or fewer values
    (`more_specific`), or as many and is newer (`newer`). It is null if the tried one wins, or if no policy is tried.
    """

    created_at: datetime
    policy: ChosenResponse | None
    won_by: PlaceResponse | None
    reason: Reason | None
    promised: list[ForecastClockResponse]


def shown(configuration: ConfigurationVersion, body: type[_T]) -> _T:
    by = ActorResponse.model_validate(Actor.of_text(configuration.created_by))
    return body.model_validate(
        {
            **configuration.definition,
            "id": configuration.id,
            "version": configuration.version,
            "createdAt": configuration.created_at,
            "createdBy": by,
        }
    )


def forecast_of(found: Forecast, created_at: datetime) -> ForecastResponse:
    return ForecastResponse(
        created_at=created_at,
        policy=_chosen(found),
        won_by=place_of(found.standing.won_by) if found.standing.won_by else None,
        reason=found.standing.reason,
        promised=[_forecast_clock(each) for each in found.clocks],
    )


def place_of(placed: Placed) -> PlaceResponse:
    return PlaceResponse(id=None if placed.id == PROPOSED else placed.id, name=placed.policy.name, position=placed.position)


def _chosen(found: Forecast) -> ChosenResponse | None:
    pin, policy = found.pin, found.configuration.policy
    if pin is None or policy is None:
        return None
    return ChosenResponse(
        id=None if pin.policy_id == PROPOSED else pin.policy_id,
        version=pin.policy_version,
        name=policy.name,
        calendar_id=policy.calendar_id,
        calendar_version=pin.calendar_version,
        ladder_id=policy.ladder_id,
        ladder_version=pin.ladder_version,
    )


def _forecast_clock(each: ForecastClock) -> ForecastClockResponse:
    return ForecastClockResponse(
        metric=each.clock.metric,
        target_seconds=int(each.clock.target.total_seconds()),
        due_at=each.clock.due_at,
        warnings_at=[deadline.due_at for deadline in _of(WARN, each.deadlines)],
        rungs=[RungDueResponse(level=deadline.level or 0, due_at=deadline.due_at) for deadline in _of(ESCALATE, each.deadlines)],
    )


def _of(kind: str, deadlines: Sequence[Deadline]) -> list[Deadline]:
    return [deadline for deadline in deadlines if deadline.kind == kind]
