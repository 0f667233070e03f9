"""What a deadline costs to compute: one a year away, in office hours, with a country's holidays."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from deploy.local.seed import OFFICE
from models.sla.calendar import Calendar, advance, elapsed
from tests.bench.table import Bound, Budget, Row, p50, p99

ADVANCE = Budget(name="a deadline a year out (advance), p99", bound=Bound.AT_MOST, limit=1, unit="ms")
ELAPSED = Budget(name="business time of a year (elapsed), p99", bound=Bound.AT_MOST, limit=1, unit="ms")
_FIRST = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
_YEAR = timedelta(days=365)
_A_YEARS_WORK = elapsed(OFFICE, _FIRST, _FIRST + _YEAR)
_EACH = 5_000


def measure_calendars() -> list[Row]:
    """Each time from another start. A calendar is laid out when first asked for, so the first call on a new one is reported apart."""
    return [
        _row(ADVANCE, lambda calendar, start: advance(calendar, start, _A_YEARS_WORK)),
        _row(ELAPSED, lambda calendar, start: elapsed(calendar, start, start + _YEAR)),
    ]


def _row(budget: Budget, do: Callable[[Calendar, datetime], object]) -> Row:
    first = [_milliseconds(do, _new_calendar(budget, number), _FIRST) for number in range(20)]
    calendar = _new_calendar(budget, 0)
    for place in range(_EACH):
        do(calendar, _start(place))
    warm = [_milliseconds(do, calendar, _start(place)) for place in range(_EACH)]
    return Row(budget, p99(warm), also=f"p50 {p50(warm):.3f} ms; the first on a new calendar {p50(first):.1f} ms")


def _new_calendar(budget: Budget, number: int) -> Calendar:
    return OFFICE.model_copy(update={"name": f"{budget.name} {number}"})


def _start(place: int) -> datetime:
    return _FIRST + place * _YEAR / _EACH


def _milliseconds(do: Callable[[Calendar, datetime], object], calendar: Calendar, start: datetime) -> float:
    began = time.perf_counter()
    do(calendar, start)
    return (time.perf_counter() - began) * 1000
