"""Definitions of calendars, policies and ladders as clients send them.

They are the values of :mod:`models.sla` with bounds, and without what could be stored but makes no sense; ids are strings.
"""

from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from api.tickets.requests import Id, Instant, Name, Tag, Tags
from models.sla.calendar import MAX_HOLIDAYS, Calendar, Holiday, HolidayIntervals, Intervals, Weekly
from models.sla.configuration import MAX_CONFIGURATIONS
from models.sla.forecast import TicketSample
from models.sla.ladder import Audience, Ladder, Rung
from models.sla.policy import Match, PauseOn, SlaPolicy
from models.sla.validation import overlaps_of_day, overlaps_of_week, refuse, repeated, rungs_out_of_order
from models.tickets.filter import Filter
from models.tickets.lifecycle import Priority, Status
from models.value import AtMost, Value

YEAR = 366 * 86_400
_T = TypeVar("_T")
_D = TypeVar("_D", bound=BaseModel)


def _each_once(items: tuple[_T, ...]) -> tuple[_T, ...]:
    refuse(repeated(items))
    return items


def _open_once_a_day(intervals: Intervals | None) -> Intervals | None:
    refuse(overlaps_of_day(intervals or ()))
    return intervals


def _open_once_a_week(weekly: Weekly) -> Weekly:
    refuse(overlaps_of_week(weekly))
    return weekly


def _one_a_date(holidays: tuple[Holiday, ...]) -> tuple[Holiday, ...]:
    refuse(repeated([holiday.date for holiday in holidays], "date", detail="Two holidays have the same date."))
    return holidays


def _climbable(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    places = [(rung.metric, rung.level) for rung in rungs]
    refuse([*repeated(places, "level", detail="A metric has at most one rung of a level."), *rungs_out_of_order(rungs)])
    return rungs


def _of_four_decimals(fraction: float) -> float:
    # A deadline's key shows six digits: two warnings that look alike there would be one.
    if round(fraction, 4) != fraction:
        raise ValueError("at most four decimals")
    return fraction


Once = AfterValidator(_each_once)
Category = Annotated[str, StringConstraints(min_length=1, max_length=100)]
WarnAt = Annotated[float, Field(gt=0, lt=1), AfterValidator(_of_four_decimals)]
States = Annotated[tuple[Status, ...], AtMost(len(Status)), Once]


class HolidayBody(Holiday):
    name: Name
    intervals: Annotated[HolidayIntervals | None, AfterValidator(_open_once_a_day)] = None


class CalendarBody(Calendar):
    name: Name
    weekly: Annotated[Weekly, AfterValidator(_open_once_a_week)]
    holidays: Annotated[tuple[HolidayBody, ...], AtMost(MAX_HOLIDAYS), AfterValidator(_one_a_date)] = ()


class MatchBody(Match):
    priorities: Annotated[tuple[Priority, ...], AtMost(len(Priority)), Once] = ()
    categories: Annotated[tuple[Category, ...], AtMost(100), Once] = ()
    organizer_ids: Annotated[tuple[Id, ...], AtMost(100), Once] = ()
    tags: Annotated[tuple[Tag, ...], AtMost(50), Once] = ()


class PauseOnBody(PauseOn):
    first_response: States = ()
    next_response: States = ()
    resolution: States = (Status.PENDING, Status.ON_HOLD)


class PolicyBody(SlaPolicy):
    """The lowest `position` that matches wins; at the same one the more specific match: more conditions, then fewer values; then the
    newer policy. Without a position a new policy stands right before the first one that is for all tickets, and a new version where the
    last one stood."""

    name: Name
    position: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    match: MatchBody = MatchBody()
    calendar_id: Id
    ladder_id: Id | None = None
    pause_on: PauseOnBody = PauseOnBody()
    warn_at_fractions: Annotated[tuple[WarnAt, ...], AtMost(10), Once] = (0.75,)
    survey_after_seconds: Annotated[int, Field(ge=0, le=YEAR)] | None = None


class PolicyOrderBody(Value):
    """Each policy once, the one that is tried first in front."""

    ids: Annotated[tuple[Id, ...], AtMost(MAX_CONFIGURATIONS), Once]


class RungBody(Rung):
    notify: Annotated[tuple[Audience, ...], AtMost(len(Audience)), Once] = ()


class LadderBody(Ladder):
    name: Name
    rungs: Annotated[tuple[RungBody, ...], AtMost(9), AfterValidator(_climbable)]


def _of_our_times(at: Instant) -> Instant:
    if not 1970 <= at.year < 2200:
        raise ValueError("an instant between the years 1970 and 2199")
    return at


OurInstant = Annotated[Instant, AfterValidator(_of_our_times)]


class PreviewCalendar(Value):
    """A calendar or the id of one; and a start with an amount of business time, or with an end."""

    calendar: CalendarBody | None = None
    calendar_id: Id | None = None
    start: OurInstant
    seconds: Annotated[int, Field(ge=0, le=YEAR)] | None = None
    end: OurInstant | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.calendar is None) == (self.calendar_id is None):
            raise ValueError("give calendar or calendarId")
        if (self.seconds is None) == (self.end is None):
            raise ValueError("give seconds or end")
        return self


def _split(value: Any) -> Any:
    """``"open,pending"`` as in the query of a list."""
    return value.split(",") if isinstance(value, str) else value


_Several = BeforeValidator(_split)
_WrittenId = Annotated[Id, PlainSerializer(str, return_type=str)]


class FilterBody(Filter):
    """As in the list of tickets: of one filter any value may hold (of `tag` each must), of several all must."""

    status: Annotated[tuple[Status, ...], AtMost(50), _Several] = ()
    priority: Annotated[tuple[Priority, ...], AtMost(50), _Several] = ()
    category: Annotated[tuple[Category, ...], AtMost(50), _Several] = ()
    team_id: _WrittenId | None = None
    organizer_id: _WrittenId | None = None
    tag: Annotated[tuple[Tag, ...], AtMost(50), _Several] = ()


class DescribedTicket(TicketSample):
    """A ticket that there is not, opened at `createdAt` (now unless given)."""

    category: Category | None = None
    organizer_id: Id | None = None
    tags: Tags = ()
    created_at: OurInstant | None = None


class Preview(Value):
    """`filter` narrows the open tickets down that a job looks at; `ticketSample` is answered at once. Neither: all open tickets."""

    filter: FilterBody | None = None
    ticket_sample: DescribedTicket | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.filter is not None and self.ticket_sample is not None:
            raise ValueError("give filter or ticketSample")
        return self


class Proposal(Preview, Generic[_D]):
    """Without a definition the newest version itself is tried."""

    definition: _D | None = None


class ProposedPolicy(Preview):
    """A policy that is not there yet takes tickets as if it had been published just now."""

    definition: PolicyBody
