"""Business time against tables that a person can review. `golden/calendar_by_hand.csv` was reasoned out row by row."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.cache import ByteCache
from models.sla import business_time
from models.sla.calendar import Calendar, advance, elapsed
from tests.sla import golden_calendar
from tests.sla.calendar_shapes import SHAPES, shape
from tests.sla.oracle_calendar import OracleCalendar

BY_HAND = Path(__file__).parent / "golden" / "calendar_by_hand.csv"


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as lines:
        yield from csv.DictReader(lines)


def times(row: dict[str, str]) -> tuple[datetime, timedelta, datetime]:
    return datetime.fromisoformat(row["start"]), timedelta(seconds=int(row["seconds"])), datetime.fromisoformat(row["due"])


@pytest.mark.parametrize("row", list(rows(BY_HAND)), ids=lambda row: f"{row['calendar']}: {row['why']}")
def test_a_deadline_is_what_was_reckoned_by_hand(row: dict[str, str]) -> None:
    start, amount, due = times(row)
    calendar, oracle = Calendar.model_validate(SHAPES[row["calendar"]]), OracleCalendar(SHAPES[row["calendar"]])
    assert advance(calendar, start, amount) == due == oracle.advance(start, amount)
    assert elapsed(calendar, start, due) == amount == oracle.elapsed(start, due)


def test_a_day_that_samoa_skipped_did_not_take_place() -> None:
    office = Calendar.model_validate(SHAPES["office"] | {"timeZone": "Pacific/Apia"})
    thursday_at_four, monday_at_ten = datetime.fromisoformat("2011-12-29T16:00-10:00"), datetime.fromisoformat("2012-01-02T10:00+14:00")
    assert advance(office, thursday_at_four, timedelta(hours=2)) == monday_at_ten
    assert elapsed(office, thursday_at_four, monday_at_ten) == timedelta(hours=2)


def test_business_time_is_right_at_every_change_of_the_clocks_from_2025_to_2027() -> None:
    wrong = [row for row in rows(golden_calendar.TABLE) if not agrees(row)]
    assert wrong == []


def agrees(row: dict[str, str]) -> bool:
    start, amount, due = times(row)
    calendar = Calendar.model_validate(shape(row["zone"], row["hours"]))
    reached = advance(calendar, start, amount)
    return reached == due == datetime.fromisoformat(row["due_local"]) and elapsed(calendar, start, due) == amount


def test_the_table_of_changes_is_what_the_oracle_says() -> None:
    assert golden_calendar.TABLE.read_text() == golden_calendar.table()


def test_the_clocks_change_in_at_least_thirty_zones_of_the_table() -> None:
    assert len({row["zone"] for row in rows(golden_calendar.TABLE) if row["clocks"]}) >= 30


def test_what_is_kept_of_large_calendars_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: ByteCache[Any, Any] = ByteCache(200_000)
    monkeypatch.setattr(business_time, "_blocks", blocks)
    week, dated = (((540, 600), (660, 720)),) * 7, {business_time.EPOCH_DAY + day: ((540, 600),) * 4 for day in range(300)}
    timetables = [business_time.Timetable("Europe/Berlin", week, dated, None) for _ in range(20)]
    assert {timetable.elapsed(0, business_time.BLOCK) for timetable in timetables} == {timetables[0].elapsed(0, business_time.BLOCK)}
    assert 0 < blocks.size <= 200_000
