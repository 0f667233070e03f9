"""Writes golden/calendar_transitions.csv from the oracle: python -m tests.sla.golden_calendar

For every change of the clocks from 2025 to 2027 in each of the zones it has, each with the same hours on every day:

- a night shift that the change falls into or near (8 h, from 10 h before the change);
- hours that open in the middle of the time that is skipped or comes twice and close half an hour after it (15 min, 90 min).

Zones that never change have a night shift on the day on which Europe does. Run it again when a new tzdata changes the rules of one of these
years, and review the difference.
"""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.sla.calendar_shapes import shape
from tests.sla.oracle_calendar import OracleCalendar

TABLE = Path(__file__).parent / "golden" / "calendar_transitions.csv"
HEADER = ("zone", "clocks", "hours", "start", "seconds", "due", "due_local")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ZONES = (
    *("Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "Africa/Johannesburg", "America/Anchorage", "America/Asuncion"),
    *("America/Chicago", "America/Denver", "America/Halifax", "America/Havana", "America/Los_Angeles", "America/New_York"),
    *("America/Nuuk", "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "America/Toronto", "America/Vancouver"),
    *("Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Tehran", "Asia/Tokyo"),
    *("Atlantic/Azores", "Australia/Adelaide", "Australia/Eucla", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin"),
    *("Europe/Chisinau", "Europe/Dublin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Pacific/Apia", "Pacific/Auckland"),
    *("Pacific/Chatham", "Pacific/Easter", "Pacific/Kiritimati", "Pacific/Norfolk"),
)


class Change(NamedTuple):
    """The clocks show `before` at the end of the minute before `at`, and `after` at it."""

    at: datetime
    before: datetime
    after: datetime


def table() -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEADER)
    for zone in ZONES:
        found = list(changes(ZoneInfo(zone)))
        rows.writerows(row for change in found for row in around(zone, change))
        if not found:
            rows.writerows(row(zone, "", "22:00-06:00", datetime(year, 3, 30, 1, tzinfo=UTC), 8 * HOUR) for year in (2025, 2026, 2027))
    return text.getvalue()


def changes(zone: ZoneInfo) -> Iterator[Change]:
    """Found by looking at the clocks every six hours, then at every minute of those in which they changed."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    while at.year < 2028:
        if offset(zone, at) != offset(zone, at + 6 * HOUR):
            minute = next(m for m in (at + n * MINUTE for n in range(361)) if offset(zone, m) != offset(zone, at))
            yield Change(minute, wall(zone, minute - MINUTE) + MINUTE, wall(zone, minute))
        at += 6 * HOUR


def around(zone: str, change: Change) -> Iterator[tuple[str, ...]]:
    clocks = f"{change.before:%Y-%m-%d %H:%M} becomes {change.after:%H:%M}"
    earlier, later = sorted((change.before, change.after))
    odd_hours = f"{earlier + (later - earlier) / 2:%H:%M}-{later + 30 * MINUTE:%H:%M}"
    yield row(zone, clocks, "22:00-06:00", change.at - 10 * HOUR, 8 * HOUR)
    yield row(zone, clocks, odd_hours, change.at - 3 * HOUR, 15 * MINUTE)
    yield row(zone, clocks, odd_hours, change.at - 3 * HOUR, 90 * MINUTE)


def row(zone: str, clocks: str, hours: str, start: datetime, amount: timedelta) -> tuple[str, ...]:
    due = OracleCalendar(shape(zone, hours)).advance(start, amount)
    seconds = str(int(amount.total_seconds()))
    return zone, clocks, hours, start.isoformat(), seconds, due.isoformat(), due.astimezone(ZoneInfo(zone)).isoformat()


def offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def wall(zone: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


if __name__ == "__main__":
    TABLE.write_text(table())
