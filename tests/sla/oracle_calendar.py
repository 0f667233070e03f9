"""The oracle of business time: walks minute by minute and asks of each whether the calendar is open.

It shares no code with `models.sla`: it reads the plain shape of API.md, and asks the zone only what its clocks show at an instant,
never the instant of a wall time. How DST counts follows from one observation: people behave as if the wall clock never went back. While it
shows times for a second time, the latest time so far still holds. So no time comes twice, and what DST skips has passed once the clock has
jumped.
"""

import zoneinfo
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import holidays

zoneinfo.reset_tzpath(to=())  # the zone data of the tzdata wheel, whatever has been imported before

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LONGEST_STEP_BACK = timedelta(hours=3)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOSED: list[list[str]] = []


class OracleCalendar:
    def __init__(self, shape: dict[str, Any]) -> None:
        self.shape = shape
        self.zone = zoneinfo.ZoneInfo(shape["timeZone"])
        self.own = {holiday["date"]: holiday.get("intervals") or CLOSED for holiday in shape.get("holidays", [])}
        self.hours = lru_cache(self._hours)

    def advance(self, start: datetime, amount: timedelta) -> datetime:
        at, left, wall = start, amount, self.wall_before(start)
        while left:
            wall = max(wall, self.clock(at))
            step = next_minute(at) - at
            if self.is_open(wall):
                if left <= step:
                    return at + left
                left -= step
            at += step
        return at

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        at, spent, wall = start, timedelta(0), self.wall_before(start)
        while at < end:
            wall = max(wall, self.clock(at))
            step = min(next_minute(at), end) - at
            spent += step if self.is_open(wall) else timedelta(0)
            at += step
        return spent

    def wall_before(self, start: datetime) -> datetime:
        """The latest time that the wall clock has shown."""
        first = next_minute(start - LONGEST_STEP_BACK)
        return max(self.clock(first + minutes * MINUTE) for minutes in range(int(LONGEST_STEP_BACK / MINUTE)))

    def clock(self, at: datetime) -> datetime:
        return at.astimezone(self.zone).replace(tzinfo=None)

    def is_open(self, wall: datetime) -> bool:
        today = wall.date()
        return any(opens <= wall < closes for day in (today - DAY, today) for opens, closes in self.hours(day))

    def _hours(self, day: date) -> list[tuple[datetime, datetime]]:
        return [interval(day, start, end) for start, end in self.intervals(day)]

    def intervals(self, day: date) -> list[list[str]]:
        if day.isoformat() in self.own:
            return self.own[day.isoformat()]
        if self.shape.get("holidayCountry") and day in self.country(day.year):
            return CLOSED
        hours: list[list[str]] = self.shape["weekly"].get(WEEKDAYS[day.weekday()], CLOSED)
        return hours

    def country(self, year: int) -> holidays.HolidayBase:
        return country_holidays(self.shape["holidayCountry"], self.shape.get("holidaySubdivision"), year)


@lru_cache
def country_holidays(country: str, subdivision: str | None, year: int) -> holidays.HolidayBase:
    return holidays.country_holidays(country, subdiv=subdivision, years=year)


def interval(day: date, start: str, end: str) -> tuple[datetime, datetime]:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 a wall time
    opens, closes = midnight + since_midnight(start), midnight + since_midnight(end)
    return opens, closes if closes > opens else closes + DAY


def since_midnight(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE
