"""Valid calendars, and how invalid ones are refused."""

import subprocess
import sys
import time
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.sla.calendar import HORIZON, MAX_HOLIDAYS, MAX_INTERVALS_A_DAY, Calendar, HorizonExceeded, advance, elapsed
from tests.sla.calendar_shapes import DAYS, SHAPES, WORKDAYS, closed, only, shape

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def calendar(**changes: Any) -> Calendar:
    return Calendar.model_validate(SHAPES["office"] | changes)


@pytest.mark.parametrize("name", SHAPES)
def test_a_calendar_survives_the_way_through_json(name: str) -> None:
    original = Calendar.model_validate(SHAPES[name])
    assert Calendar.model_validate_json(original.model_dump_json(by_alias=True)) == original
    assert Calendar.model_validate(original.model_dump()) == original


def test_a_calendar_has_the_shape_of_the_contract() -> None:
    written = calendar(holidays=[only("2026-12-24", ["09:00", "12:00"])]).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert written["timeZone"] == "Europe/Berlin"
    assert written["weekly"]["mon"] == [["09:00", "17:00"]]
    assert written["holidays"] == [{"date": "2026-12-24", "name": "hours of its own", "intervals": [["09:00", "12:00"]]}]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"timeZone": "Europe/Atlantis"}, "unknown time zone"),
    ({"timeZone": "../../etc/passwd"}, "unknown time zone"),
    ({"timeZone": "Europe"}, "unknown time zone"),
    ({"timeZone": "europe/berlin"}, "unknown time zone"),
    ({"timeZone": ""}, "unknown time zone"),
    ({"weekly": {}}, "never open"),
    ({"weekly": {"mon": [], "sun": []}}, "never open"),
    ({"weekly": {"mon": [["9:00", "17:00"]]}}, "not a time of day"),
    ({"weekly": {"mon": [["09:00", "17:60"]]}}, "not a time of day"),
    ({"weekly": {"mon": [["09:00", "24:01"]]}}, "not a time of day"),
    ({"weekly": {"mon": [["24:00", "08:00"]]}}, "not a time of day"),
    ({"weekly": {"mon": [["09:00", "17:00\n"]]}}, "not a time of day"),
    ({"weekly": {"mon": [["0٩:00", "17:00"]]}}, "not a time of day"),
    ({"weekly": {"mon": [["09:00"]]}}, "Field required"),
    ({"weekly": {"mon": [["09:00", "12:00", "17:00"]]}}, "at most 2 items"),
    ({"weekly": {"mon": [["09:00", "17:00"]] * (MAX_INTERVALS_A_DAY + 1)}}, f"at most {MAX_INTERVALS_A_DAY} items"),
    ({"weekly": {"monday": [["09:00", "17:00"]]}}, "Extra inputs"),
    ({"holidays": [closed("2026-12-25"), closed("2026-12-25")]}, "the same date"),
    ({"holidays": [closed("2027-02-29")]}, "valid date"),
    ({"holidays": [closed("25.12.2026")]}, "not a date"),
    ({"holidays": [{"date": 1_766_620_800, "name": "seconds"}]}, "not a date"),
    ({"holidays": [closed(date.fromordinal(740_000 + n).isoformat()) for n in range(MAX_HOLIDAYS + 1)]}, f"at most {MAX_HOLIDAYS} items"),
    ({"holidayCountry": "XX"}, "no holidays are known"),
    ({"holidayCountry": "de"}, "no holidays are known"),
    ({"holidayCountry": "GERMANY"}, "at most 2 characters"),
    ({"holidayCountry": "DE", "holidaySubdivision": "ZZ"}, "no such subdivision"),
    ({"holidaySubdivision": "BY"}, "a subdivision needs its country"),
    ({"name": ""}, "at least 1 character"),
    ({"color": "red"}, "Extra inputs"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_an_invalid_calendar_is_refused_with_the_reason(changes: dict[str, Any], words: str) -> None:
    weekly = {"holidaySubdivision": None, "holidayCountry": None} | changes
    with pytest.raises(ValidationError, match=words):
        calendar(**weekly)


def test_a_refused_country_does_not_also_blame_its_subdivision() -> None:
    with pytest.raises(ValidationError) as refused:
        calendar(holidayCountry="XX", holidaySubdivision="BY")
    assert [error["loc"] for error in refused.value.errors()] == [("holidayCountry",)]


@pytest.mark.parametrize(
    ("hours", "days", "always"),
    [
        ("00:00-24:00", DAYS, True),
        ("00:00-00:00", DAYS, True),
        ("08:00-08:00", DAYS, True),
        ("00:00-12:00 12:00-24:00", DAYS, True),
        ("06:00-22:00 21:00-07:00", DAYS, True),
        ("00:00-23:59", DAYS, False),
        ("00:00-24:00", WORKDAYS, False),
        ("08:00-08:00", DAYS[1:], False),
    ],
)
def test_a_week_without_a_closed_minute_is_always_open(hours: str, days: tuple[str, ...], always: bool) -> None:  # noqa: FBT001
    assert Calendar.model_validate(shape("Europe/Berlin", hours, days)).is_always_open is always


@pytest.mark.parametrize("more", [{"holidays": [closed("2026-12-25")]}, {"holidayCountry": "DE"}])
def test_with_holidays_no_calendar_is_always_open(more: dict[str, Any]) -> None:
    assert not Calendar.model_validate(SHAPES["always"] | more).is_always_open


def test_equal_calendars_share_what_was_computed() -> None:
    assert calendar().timetable is calendar().timetable


def test_a_changed_copy_is_another_calendar() -> None:
    berlin = calendar()
    advance(berlin, MONDAY, HOUR)
    tokyo = berlin.model_copy(update={"time_zone": "Asia/Tokyo"})
    assert advance(tokyo, MONDAY, HOUR) == datetime(2026, 3, 3, 1, tzinfo=UTC)
    with pytest.raises(ValidationError, match="unknown time zone"):
        berlin.model_copy(update={"time_zone": "Nowhere"})


def test_a_copy_without_changes_is_equal() -> None:
    assert calendar().model_copy() == calendar()


def test_an_instant_needs_its_offset() -> None:
    with pytest.raises(ValueError, match="offset"):
        advance(calendar(), MONDAY.replace(tzinfo=None), HOUR)
    with pytest.raises(ValueError, match="offset"):
        elapsed(calendar(), MONDAY, MONDAY.replace(tzinfo=None))


def test_business_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="negative"):
        advance(calendar(), MONDAY, -SECOND)
    assert elapsed(calendar(), MONDAY, MONDAY - HOUR) == timedelta(0)


@pytest.mark.parametrize("name", ["always", "office"])
def test_nothing_is_searched_beyond_the_horizon(name: str) -> None:
    searched = Calendar.model_validate(SHAPES[name])
    most = elapsed(searched, MONDAY, MONDAY + HORIZON)
    assert advance(searched, MONDAY, most) <= MONDAY + HORIZON
    with pytest.raises(HorizonExceeded):
        advance(searched, MONDAY, most + SECOND)
    with pytest.raises(HorizonExceeded):
        elapsed(searched, MONDAY, MONDAY + HORIZON + SECOND)


def test_weeks_without_hours_are_waited_out() -> None:
    fridays = Calendar.model_validate(
        shape("UTC", "09:00-10:00", ("fri",), holidays=[closed(f"2026-03-{day:02}") for day in (6, 13, 20, 27)])
    )
    assert advance(fridays, MONDAY, HOUR) == datetime(2026, 4, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize("name", ["always", "office"])
@pytest.mark.parametrize("start", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - HOUR])
def test_the_first_and_the_last_year_are_computed_or_out_of_reach(name: str, start: datetime) -> None:
    eternal = Calendar.model_validate(SHAPES[name])
    assert advance(eternal, start, timedelta(0)) == start
    try:
        assert advance(eternal, start, 2 * HOUR) > start
    except HorizonExceeded:
        assert start.year == MAXYEAR


def test_the_slow_library_is_imported_only_for_a_country() -> None:
    code = (
        "import sys; from models.sla.calendar import Calendar; "
        "Calendar.model_validate({'name': 'n', 'timeZone': 'UTC', 'weekly': {'mon': [['09:00', '17:00']]}}); "
        "print('holidays' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed == "False\n"


def test_a_deadline_a_year_out_takes_less_than_a_millisecond() -> None:
    office, year_of_hours = calendar(), 261 * 8 * HOUR

    def cost() -> float:
        begun = time.process_time()
        advance(office, MONDAY, year_of_hours)
        return time.process_time() - begun

    assert min(cost() for _ in range(20)) < 0.001
