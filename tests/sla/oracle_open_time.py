"""The oracle's calendar as a table, made once: a byte for each minute of some weeks."""

from datetime import datetime

from tests.sla.oracle_calendar import MINUTE, OracleCalendar


class OpenTime:
    """Which minutes from `first` on are open. Instants are whole seconds since 1970, or multiples of a second's `parts`."""

    def __init__(self, calendar: OracleCalendar, first: datetime, days: int, parts: int = 1) -> None:
        at, wall, minutes = first, calendar.wall_before(first), bytearray()
        for _ in range(days * 1440):
            wall = max(wall, calendar.clock(at))
            minutes.append(calendar.is_open(wall))
            at += MINUTE
        self.minute = 60 * parts
        self.minutes, self.first, self.end = bytes(minutes), int(first.timestamp()) * parts, int(at.timestamp()) * parts

    def is_open(self, at: int) -> bool:
        return bool(self.minutes[(at - self.first) // self.minute])

    def until(self, at: int) -> int:
        """When the calendar next opens or closes."""
        found = self.minutes.find(b"\0" if self.is_open(at) else b"\1", (at - self.first) // self.minute)
        return self.end if found < 0 else self.first + self.minute * found

    def seconds(self, start: int, end: int) -> int:
        """Open time between two instants."""
        open_time = 0
        while start < end:
            step = min(self.until(start), end)
            open_time += (step - start) * self.is_open(start)
            start = step
        return open_time

    def due(self, start: int, amount: int) -> int | None:
        """The first instant at which so much open time has passed; None if that is after the end of the table."""
        while amount and start < self.end:
            step = self.until(start)
            if self.is_open(start) and step - start >= amount:
                return start + amount
            amount -= (step - start) * self.is_open(start)
            start = step
        return None if amount else start
