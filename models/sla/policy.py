"""The SLA policy: targets by metric and priority, and the conditions by which a ticket gets its policy."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.tickets.lifecycle import Priority, Status
from models.value import Value


class Metric(StrEnum):
    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"


class OnReopen(StrEnum):
    CONTINUE = "continue"
    RESTART = "restart"
    NEW_CYCLE = "new_cycle"


Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]
Fraction = Annotated[float, Field(gt=0, lt=10)]


class Targets(Value):
    """Business seconds that each metric may take; a metric without a target has no clock."""

    first_response_seconds: Seconds | None = None
    next_response_seconds: Seconds | None = None
    resolution_seconds: Seconds | None = None

    def of(self, metric: Metric) -> timedelta | None:
        seconds = getattr(self, f"{metric.value}_seconds")
        return None if seconds is None else timedelta(seconds=seconds)


class Match(Value):
    """The conditions of a policy: a ticket has to meet all of them, and an empty one is met by every ticket."""

    priorities: tuple[Priority, ...] = ()
    categories: tuple[str, ...] = ()
    organizer_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()

    def holds(self, traits: "Traits") -> bool:
        return (
            (not self.priorities or traits.priority in self.priorities)
            and (not self.categories or traits.category in self.categories)
            and (not self.organizer_ids or traits.organizer_id in self.organizer_ids)
            and (not self.tags or not traits.tags.isdisjoint(self.tags))
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each condition allows."""
        return tuple(len(each) for each in (self.priorities, self.categories, self.organizer_ids, self.tags) if each)

    @property
    def is_for_all(self) -> bool:
        return not self.sizes


class PauseOn(Value):
    """The statuses in which each metric's clock is paused."""

    first_response: tuple[Status, ...] = ()
    next_response: tuple[Status, ...] = ()
    resolution: tuple[Status, ...] = (Status.PENDING, Status.ON_HOLD)

    def of(self, metric: Metric) -> tuple[Status, ...]:
        statuses: tuple[Status, ...] = getattr(self, metric.value)
        return statuses


class SlaPolicy(Value):
    """One version of a policy. A ticket gets the first policy that matches: see :mod:`models.sla.order`.

    ``position`` is None only until it is published: a new policy is then placed, and the next version stays where the last one stood.
    """

    name: str
    position: int | None = None
    match: Match = Match()
    calendar_id: int
    ladder_id: int | None = None
    targets: Mapping[Priority, Targets]
    pause_on: PauseOn = PauseOn()
    warn_at_fractions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.75,)
    on_reopen: OnReopen = OnReopen.CONTINUE
    survey_after_seconds: Annotated[int, Field(ge=0)] | None = None

    def target(self, priority: Priority, metric: Metric) -> timedelta | None:
        targets = self.targets.get(priority)
        return None if targets is None else targets.of(metric)


class Traits(Value):
    """The fields of a ticket that select its policy."""

    priority: Priority
    category: str | None = None
    organizer_id: int | None = None
    tags: frozenset[str] = frozenset()
