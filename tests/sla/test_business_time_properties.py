"""Business time against the oracle and against itself, over random calendars around changes of the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.sla.business_time import MICROSECOND, Timetable, minutes
from models.sla.calendar import Calendar, advance, elapsed
from tests.sla.calendar_shapes import DAYS, SHAPES
from tests.sla.golden_calendar import ZONES
from tests.sla.oracle_calendar import OracleCalendar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=366)

# The clocks of some zone change at or near each of these, so that random days meet a change often and not once in half a year.
LIVELY_DAYS = [datetime(2025, 3, 30), datetime(2026, 10, 25), datetime(2027, 3, 14), datetime(2026, 4, 5), datetime(2028, 2, 29)]  # noqa: DTZ001


def time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


starts_of_intervals = st.integers(0, 95).map(lambda quarter: time_of_day(15 * quarter)) | st.integers(0, 1439).map(time_of_day)
ends_of_intervals = starts_of_intervals | st.just("24:00")
hours = st.lists(st.tuples(starts_of_intervals, ends_of_intervals).map(list), max_size=3)
instants = st.builds(
    lambda day, seconds: (day + timedelta(seconds=seconds)).replace(tzinfo=UTC),
    st.sampled_from(LIVELY_DAYS),
    st.integers(-2 * 86_400, 86_400),
)
days = st.builds(lambda day, offset: (day + timedelta(days=offset)).date().isoformat(), st.sampled_from(LIVELY_DAYS), st.integers(-3, 4))
own_holidays = st.lists(
    st.fixed_dictionaries({"date": days, "name": st.just("x"), "intervals": st.none() | hours}),
    max_size=3,
    unique_by=lambda day: day["date"],
)
countries = st.sampled_from([{}, {}, {"holidayCountry": "DE", "holidaySubdivision": "BY"}, {"holidayCountry": "US"}])
shapes: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda zone, weekly, own, country: {"name": "any", "timeZone": zone, "weekly": weekly, "holidays": own, **country},
    st.sampled_from(ZONES),
    st.fixed_dictionaries(dict.fromkeys(DAYS, hours)).filter(lambda weekly: any(weekly.values())),
    own_holidays,
    countries,
)
short = st.integers(0, 30 * 3600).map(lambda seconds: timedelta(seconds=seconds))
long = st.integers(0, 60 * 86_400 * 10**6).map(lambda microseconds: timedelta(microseconds=microseconds))


@given(shape=shapes, start=instants, wait=short, more=short)
@settings(max_examples=250, deadline=None)
def test_business_time_agrees_with_the_oracle(shape: dict[str, Any], start: datetime, wait: timedelta, more: timedelta) -> None:
    calendar, oracle = Calendar.model_validate(shape), OracleCalendar(shape)
    end = start + wait + more
    spent = oracle.elapsed(start, end)
    assert elapsed(calendar, start, end) == spent
    part = spent // 2
    assert advance(calendar, start, part) == oracle.advance(start, part)
    assert advance(calendar, start, spent) == oracle.advance(start, spent)


@given(shape=shapes, start=instants, amount=long)
@settings(max_examples=80, deadline=None)
def test_elapsed_undoes_advance(shape: dict[str, Any], start: datetime, amount: timedelta) -> None:
    calendar = Calendar.model_validate(shape)
    amount = min(amount, elapsed(calendar, start, start + HORIZON))
    due = advance(calendar, start, amount)
    assert elapsed(calendar, start, due) == amount
    if amount:
        assert elapsed(calendar, start, due - MICROSECOND) == amount - MICROSECOND, "a due is the first such instant"


@given(shape=shapes, at=st.lists(instants, min_size=3, max_size=3).map(sorted))
@settings(max_examples=80, deadline=None)
def test_the_parts_of_a_time_sum_to_the_whole(shape: dict[str, Any], at: list[datetime]) -> None:
    calendar = Calendar.model_validate(shape)
    first, second, third = at
    assert elapsed(calendar, first, second) + elapsed(calendar, second, third) == elapsed(calendar, first, third)
    assert timedelta(0) <= elapsed(calendar, first, second) <= second - first


@given(shape=shapes, start=instants, amounts=st.lists(long, min_size=2, max_size=2))
@settings(max_examples=80, deadline=None)
def test_advancing_twice_is_advancing_by_the_sum(shape: dict[str, Any], start: datetime, amounts: list[timedelta]) -> None:
    calendar = Calendar.model_validate(shape)
    most = elapsed(calendar, start, start + HORIZON)
    once, again = (min(amount, most // 2) for amount in amounts)
    halfway = advance(calendar, start, once)
    assert start <= halfway <= advance(calendar, start, once + again)
    assert advance(calendar, halfway, again) == advance(calendar, start, once + again) or not again


@given(zone=st.sampled_from(ZONES), opens=st.integers(0, 1439).map(time_of_day), start=instants, amount=long)
@settings(max_examples=100, deadline=None)
def test_the_shortcut_for_always_open_calendars_gives_the_same(zone: str, opens: str, start: datetime, amount: timedelta) -> None:
    long_way = Timetable(zone, ((minutes(opens, opens),),) * 7, {}, None)
    begin = (start - EPOCH) // MICROSECOND
    length = max(1, amount // MICROSECOND)
    assert long_way.is_always_open
    assert long_way.reached(begin, length, begin + 2 * length) == begin + length
    assert long_way.elapsed(begin, begin + length) == length


@given(start=st.datetimes(datetime(1900, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)), zone=st.sampled_from(ZONES), amount=long)  # noqa: DTZ001 hypothesis asks so
@settings(max_examples=100, deadline=None)
def test_far_years_are_no_different(start: datetime, zone: str, amount: timedelta) -> None:
    calendar = Calendar.model_validate(SHAPES["nights"] | {"timeZone": zone})
    assert elapsed(calendar, start, advance(calendar, start, amount)) == amount
