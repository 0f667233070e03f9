"""What a ticket that is only thought of would be promised, as clients see it."""

from collections.abc import Sequence
from datetime import datetime

from api.sla.responses import ChosenView, ForecastClockView, ForecastView, RungDueView
from models.sla.deadlines import ESCALATE, WARN, Deadline
from models.sla.forecast import Forecast, ForecastClock
from models.sla.rulebook import PROPOSED


def forecast_view(found: Forecast, created_at: datetime) -> ForecastView:
    return ForecastView(created_at=created_at, policy=_chosen(found), promised=[_promised(each) for each in found.clocks])


def _chosen(found: Forecast) -> ChosenView | None:
    pin, policy = found.pin, found.configuration.policy
    if pin is None or policy is None:
        return None
    return ChosenView(
        id=None if pin.policy_id == PROPOSED else pin.policy_id,
        version=pin.policy_version,
        name=policy.name,
        calendar_id=policy.calendar_id,
        calendar_version=pin.calendar_version,
        ladder_id=policy.ladder_id,
        ladder_version=pin.ladder_version,
    )


def _promised(each: ForecastClock) -> ForecastClockView:
    return ForecastClockView(
        metric=each.clock.metric,
        target_seconds=int(each.clock.target.total_seconds()),
        due_at=each.clock.due_at,
        warnings_at=[deadline.due_at for deadline in _of(WARN, each.deadlines)],
        rungs=[RungDueView(level=deadline.level or 0, due_at=deadline.due_at) for deadline in _of(ESCALATE, each.deadlines)],
    )


def _of(kind: str, deadlines: Sequence[Deadline]) -> list[Deadline]:
    return [deadline for deadline in deadlines if deadline.kind == kind]
