"""Calendars, policies and ladders as clients see them."""

from datetime import datetime

from api.tickets.responses import Id, View
from models.audit import Actor, ActorKind
from models.sla.calendar import Holiday, Weekly
from models.sla.ladder import Rung
from models.sla.policy import Metric, OnReopen, PauseOn, Targets
from models.sla.tables import ConfigurationVersion
from models.tickets.lifecycle import Priority


class ActorView(View):
    kind: ActorKind
    id: Id | None
    name: str


class ConfigurationView(View):
    """One version of a rule, and who published it."""

    id: Id
    version: int
    name: str
    created_at: datetime
    created_by: ActorView


class CalendarView(ConfigurationView):
    time_zone: str
    weekly: Weekly
    holidays: tuple[Holiday, ...]
    holiday_country: str | None
    holiday_subdivision: str | None


class MatchView(View):
    priorities: tuple[Priority, ...]
    categories: tuple[str, ...]
    organizer_ids: tuple[Id, ...]
    tags: tuple[str, ...]


class PolicyView(ConfigurationView):
    position: int
    match: MatchView
    calendar_id: Id
    ladder_id: Id | None
    targets: dict[Priority, Targets]
    pause_on: PauseOn
    warn_at_fractions: tuple[float, ...]
    on_reopen: OnReopen
    survey_after_seconds: int | None


class LadderView(ConfigurationView):
    rungs: tuple[Rung, ...]


class DueView(View):
    due_at: datetime


class ElapsedView(View):
    elapsed_seconds: int


class ChosenView(View):
    """``id`` is null if it is a policy that is only proposed."""

    id: Id | None
    version: int
    name: str
    calendar_id: Id
    calendar_version: int
    ladder_id: Id | None
    ladder_version: int | None


class RungDueView(View):
    level: int
    due_at: datetime


class ForecastClockView(View):
    """Counted from `createdAt`, also the next response; ``dueAt`` is null if the clock stands still in a new ticket."""

    metric: Metric
    target_seconds: int
    due_at: datetime | None
    warnings_at: list[datetime]
    rungs: list[RungDueView]


class ForecastView(View):
    """What a ticket like the sample would be promised; without a policy nothing."""

    created_at: datetime
    policy: ChosenView | None
    promised: list[ForecastClockView]


def shown(configuration: ConfigurationVersion, view: type[ConfigurationView]) -> ConfigurationView:
    by = ActorView.model_validate(Actor.of_text(configuration.created_by))
    return view.model_validate(
        {
            **configuration.definition,
            "id": configuration.id,
            "version": configuration.version,
            "createdAt": configuration.created_at,
            "createdBy": by,
        }
    )
