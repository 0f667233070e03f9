"""Overlaps of intervals, checked minute by minute."""

from hypothesis import given
from hypothesis import strategies as st

from models.sla.business_time import MINUTES_A_DAY, minutes
from models.sla.calendar import Weekly
from models.sla.validation import overlaps_of_week, repeated

WEEK = 7 * MINUTES_A_DAY
NAMES = tuple(Weekly.model_fields)
times = st.integers(0, 23).map(lambda hour: f"{hour:02}:00")
days = st.lists(st.tuples(times, times), max_size=3)
weeks = st.fixed_dictionaries(dict.fromkeys(NAMES, days)).filter(lambda week: any(week.values()))


@given(weeks)
def test_a_week_has_an_overlap_when_a_minute_is_open_twice(week: dict[str, list[tuple[str, str]]]) -> None:
    opened = [0] * WEEK
    for day, name in enumerate(NAMES):
        for start, end in (minutes(*interval) for interval in week[name]):
            for minute in range(start, end):
                opened[(day * MINUTES_A_DAY + minute) % WEEK] += 1
    assert bool([*overlaps_of_week(Weekly.model_validate(week))]) == (max(opened) > 1)


@given(weeks)
def test_without_the_reported_intervals_nothing_overlaps(week: dict[str, list[tuple[str, str]]]) -> None:
    named = {flaw.path for flaw in overlaps_of_week(Weekly.model_validate(week))}
    left = {name: [each for place, each in enumerate(week[name]) if (name, place) not in named] for name in NAMES}
    assert not any(left.values()) or not [*overlaps_of_week(Weekly.model_validate(left))]


@given(st.lists(st.integers(0, 5)))
def test_a_duplicate_is_reported_at_its_later_places(items: list[int]) -> None:
    named = {flaw.path[0] for flaw in repeated(items)}
    assert [item for place, item in enumerate(items) if place not in named] == list(dict.fromkeys(items))
