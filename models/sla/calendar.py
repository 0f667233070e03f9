"""The business calendar: when an SLA clock may run. The shape is that of `Calendar` in API.md.

Where its parts meet:

- An interval belongs to the day it starts on. A night shift that starts the day before a holiday runs its full length into it; the one that
  would start on the holiday does not take place, so it does not open the morning after either.
- Intervals may overlap or touch, within a day and across midnight: the calendar is open in their union, and no second counts twice.
  (An overlap is a typing error: the API refuses it, see `models.sla.validation`.)
- A day has the hours of the calendar's own holiday on that date, if there is one; else none if it is a public holiday of the country; else
  those of its weekday. So an own holiday with intervals is a half day, and also the way to stay open on a public holiday.
- The country's holidays are the library's `public` ones, days observed in lieu of a weekend included.
- Without holidays, a week that has no closed minute is open at every instant, whatever DST does.

Instants come in aware and go out in UTC, exact to the microsecond.
"""

import datetime as dt
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from models.sla import business_time
from models.value import AtMost, Value

MAX_INTERVALS_A_DAY = 12
MAX_HOLIDAYS = 500
MAX_INTERVALS_A_HOLIDAY = 4
"""A calendar may have hundreds of them, and every interval takes time to read and room to keep."""
HORIZON = dt.timedelta(days=3660)
"""Ten years: how far `advance` and `elapsed` look."""

_TIME_OF_DAY = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_TIMES_OF_DAY = frozenset(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class HorizonExceeded(ValueError):
    """The result is further from the start than `HORIZON` or the caller's own limit, or past the year 9999."""


def _time_of_day(text: str) -> str:
    if text not in _TIMES_OF_DAY:
        raise ValueError("not a time of day: write HH:MM, from 00:00 to 23:59 (an end may also be 24:00)")
    return text


def _end_of_interval(text: str) -> str:
    return text if text == "24:00" else _time_of_day(text)


def _only_a_written_date(value: object) -> object:
    # Pydantic would also accept a number of seconds, and turn a typing error into a day of 1970.
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("not a date: write YYYY-MM-DD")
    if not isinstance(value, str) and (isinstance(value, dt.datetime) or not isinstance(value, dt.date)):
        raise ValueError("not a date: write YYYY-MM-DD")  # noqa: TRY004 pydantic reports ValueError to the caller, not TypeError
    return value


Start = Annotated[str, AfterValidator(_time_of_day), Field(json_schema_extra={"pattern": f"^{_TIME_OF_DAY}$"})]
End = Annotated[str, AfterValidator(_end_of_interval), Field(json_schema_extra={"pattern": f"^({_TIME_OF_DAY}|24:00)$"})]
Intervals = Annotated[tuple[tuple[Start, End], ...], AtMost(MAX_INTERVALS_A_DAY)]
HolidayIntervals = Annotated[tuple[tuple[Start, End], ...], AtMost(MAX_INTERVALS_A_HOLIDAY)]
WrittenDate = Annotated[dt.date, BeforeValidator(_only_a_written_date)]


class Weekly(Value):
    """The ordinary hours: intervals (start, end) as HH:MM of the calendar's zone. An end at or before its start is on the next day."""

    mon: Intervals = ()
    tue: Intervals = ()
    wed: Intervals = ()
    thu: Intervals = ()
    fri: Intervals = ()
    sat: Intervals = ()
    sun: Intervals = ()

    @property
    def days(self) -> tuple[Intervals, ...]:
        """Monday to Sunday."""
        return self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun

    @model_validator(mode="after")
    def _is_open_at_some_time(self) -> Self:
        if not any(self.days):
            raise ValueError("the calendar is never open: give at least one interval")
        return self


class Holiday(Value):
    """A day with hours of its own instead of its weekday's. Without intervals it is closed."""

    date: WrittenDate
    name: str = Field(max_length=200)
    intervals: HolidayIntervals | None = None


class Calendar(Value):
    """When business time passes. Equal calendars are interchangeable, also as keys of a cache; a calendar that exists is valid."""

    name: str = Field(min_length=1, max_length=200)
    time_zone: str = Field(max_length=64)
    weekly: Weekly
    holidays: Annotated[tuple[Holiday, ...], Field(max_length=MAX_HOLIDAYS)] = ()
    holiday_country: str | None = Field(default=None, max_length=2)
    holiday_subdivision: str | None = Field(default=None, min_length=1, max_length=64)

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        if name not in business_time.known_zones():
            raise ValueError("unknown time zone: use a name of the IANA database, such as Europe/Berlin")
        return name

    @field_validator("holidays")
    @classmethod
    def _one_holiday_a_date(cls, holidays: tuple[Holiday, ...]) -> tuple[Holiday, ...]:
        if len({holiday.date for holiday in holidays}) < len(holidays):
            raise ValueError("two holidays have the same date")
        return holidays

    @field_validator("holiday_country")
    @classmethod
    def _country_is_known(cls, country: str | None) -> str | None:
        # The pattern comes first: the library accepts any name in its package as a country.
        if country is not None and not (re.fullmatch("[A-Z]{2}", country) and business_time.has_holidays_of(country, None)):
            raise ValueError("no holidays are known for this country: use a code of ISO 3166-1 alpha-2, such as DE")
        return country

    @field_validator("holiday_subdivision")
    @classmethod
    def _subdivision_is_known(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        if subdivision is None or "holiday_country" not in info.data:  # or the country itself was refused
            return subdivision
        country = info.data["holiday_country"]
        if country is None:
            raise ValueError("a subdivision needs its country")
        if not business_time.has_holidays_of(country, subdivision):
            raise ValueError("the country has no such subdivision: use a code of ISO 3166-2 without the country, such as BY")
        return subdivision

    @property
    def is_always_open(self) -> bool:
        """Whether every instant counts (24/7 and no holiday at all), so that business time is plain time."""
        return self.timetable.is_always_open

    @cached_property
    def timetable(self) -> business_time.Timetable:
        """The calendar in UTC. Equal calendars share one timetable, so that parsing a calendar again costs none."""
        return _timetable(self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Validate the copy. Pydantic would not, and would carry over the timetable of the original."""
        if not update:
            return super().model_copy(deep=deep)
        return self.model_validate({field: getattr(self, field) for field in type(self).model_fields} | dict(update))


def advance(calendar: Calendar, start: dt.datetime, amount: dt.timedelta, within: dt.timedelta = HORIZON) -> dt.datetime:
    """The first instant (UTC) at which `amount` of business time has passed since `start`.

    An amount of zero has passed at `start` itself, also outside hours. An amount that is used up exactly when an interval ends is due at
    that end, not at the next opening. Errors: `ValueError` for a naive start or a negative amount,
    `HorizonExceeded` when the instant is more than `within` after the start: a caller that can't wait for a search of ten years sets less.
    """
    begin, length = _instant(start), amount // _MICROSECOND
    if length < 0:
        raise ValueError("business time does not run backwards: the amount is negative")
    if length == 0:
        return _EPOCH + begin * _MICROSECOND
    limit = min(begin + within // _MICROSECOND, _LAST_INSTANT)
    due = begin + length if calendar.is_always_open else calendar.timetable.reached(begin, length, limit)
    if due is None or due > limit:
        raise HorizonExceeded(f"the calendar has less open time than that within {within.days} days")
    return _EPOCH + due * _MICROSECOND


def elapsed(calendar: Calendar, start: dt.datetime, end: dt.datetime) -> dt.timedelta:
    """The business time between two instants; zero if `end` is not after `start`.

    It is the inverse of `advance`: `elapsed(c, s, advance(c, s, a)) == a`. Errors: `ValueError` for a naive instant, `HorizonExceeded` for
    two instants more than `HORIZON` apart.
    """
    begin, finish = _instant(start), _instant(end)
    if finish <= begin:
        return dt.timedelta(0)
    if finish > min(begin + HORIZON // _MICROSECOND, _LAST_INSTANT):
        raise HorizonExceeded("the two instants lie more than ten years apart")
    return (finish - begin if calendar.is_always_open else calendar.timetable.elapsed(begin, finish)) * _MICROSECOND


def is_open(calendar: Calendar, at: dt.datetime) -> bool:
    """Whether business time passes at that instant: an interval has its start, not its end. Errors: `ValueError` for a naive instant."""
    return elapsed(calendar, at, at + _MICROSECOND) > dt.timedelta(0)


def _instant(at: dt.datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("an instant needs its offset from UTC")
    return (at.astimezone(dt.UTC) - _EPOCH) // _MICROSECOND


_LAST_INSTANT = _instant(dt.datetime.max.replace(tzinfo=dt.UTC))


@lru_cache(maxsize=64)  # by number, as each has a bounded size; a calendar that is in use keeps its own
def _timetable(calendar: Calendar) -> business_time.Timetable:
    week = tuple(_hours(intervals) for intervals in calendar.weekly.days)
    dated = {holiday.date.toordinal(): _hours(holiday.intervals or ()) for holiday in calendar.holidays}
    public = (calendar.holiday_country, calendar.holiday_subdivision) if calendar.holiday_country else None
    return business_time.Timetable(calendar.time_zone, week, dated, public)


def _hours(intervals: Intervals) -> business_time.Hours:
    return tuple(business_time.minutes(start, end) for start, end in intervals)
