"""The escalation ladder, as data: at which share of a metric's target whom to notify, and whom to reassign the ticket to."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.sla.policy import Fraction, Metric
from models.value import Value


class Audience(StrEnum):
    ASSIGNEE = "assignee"
    LEAD = "lead"
    TEAM = "team"
    SENIOR = "senior"
    REPORTER = "reporter"


class Reassign(StrEnum):
    NONE = "none"
    SENIOR = "senior"
    LEAD = "lead"


class Rung(Value):
    """Due at ``at_fraction`` of the metric's target, or ``offset_seconds`` of business time after (if negative, before) its end."""

    level: Annotated[int, Field(ge=1, le=3)]
    metric: Metric = Metric.RESOLUTION
    at_fraction: Fraction | None = None
    offset_seconds: Annotated[int, Field(ge=-366 * 86_400, le=366 * 86_400)] | None = None
    notify: tuple[Audience, ...] = ()
    reassign: Reassign = Reassign.NONE

    @model_validator(mode="after")
    def _one_instant(self) -> Self:
        if (self.at_fraction is None) == (self.offset_seconds is None):
            message = "a rung has either atFraction or offsetSeconds"
            raise ValueError(message)
        return self

    def after(self, target: timedelta) -> timedelta:
        """The business time from the start of the clock until the rung is due."""
        if self.at_fraction is not None:
            return target * self.at_fraction
        return target + timedelta(seconds=self.offset_seconds or 0)


class Ladder(Value):
    name: str
    rungs: Annotated[tuple[Rung, ...], Field(max_length=9)] = ()

    @model_validator(mode="after")
    def _one_rung_a_level(self) -> Self:
        places = [(rung.metric, rung.level) for rung in self.rungs]
        if len(places) != len(set(places)):
            message = "a metric has at most one rung of a level"
            raise ValueError(message)
        return self


DEFAULT_LADDER = Ladder(
    name="default",
    rungs=(
        Rung(level=1, at_fraction=0.75, notify=(Audience.ASSIGNEE, Audience.LEAD)),
        Rung(level=2, at_fraction=1.0, notify=(Audience.LEAD,), reassign=Reassign.SENIOR),
        Rung(level=3, at_fraction=1.25, notify=(Audience.LEAD,), reassign=Reassign.LEAD),
    ),
)
