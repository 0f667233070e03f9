"""Open hours as spans of UTC: the arithmetic beneath `models.sla.calendar`.

A wall time means *the first instant at which the wall clock reads it or more*. Both statements of the contract (API.md, Calendar) follow:
a time that DST skips counts from the first instant that exists, a time that comes twice means its first occurrence. Two times never change
their order either, so an interval is never negative, and midnight to midnight on every day leaves no gap.

Instants here are whole microseconds since 1970 (UTC), so that nothing is rounded.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo  # composition roots have it read the tzdata wheel alone: models/platform/zones.py

from models.cache import ByteCache

Span = tuple[int, int]
"""From (included) to (excluded). Of minutes after a day's midnight, or of microseconds since 1970."""

Hours = tuple[Span, ...]
"""The intervals of a day, in minutes after its midnight."""

SECOND = 1_000_000
DAY = 86_400 * SECOND
NO_OFFSET = timedelta(0)
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
MINUTES_A_DAY = 1_440
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 wall times stay naive until their offset is known
EPOCH_DAY = EPOCH.toordinal()
LAST_DAY = date.max.toordinal() - 3  # an interval may reach two days further

BLOCK = 32 * DAY
"""Open hours are computed and kept in blocks: small enough for a first deadline of hours, large enough for a deadline a year out."""


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Names of the IANA time zone database as the tzdata wheel has them."""
    return frozenset((files("tzdata") / "zones").read_text().split())


def has_holidays_of(country: str, subdivision: str | None) -> bool:
    """Whether the library `holidays` knows the country (ISO 3166-1 alpha-2) and, if given, its subdivision."""
    from holidays import country_holidays  # noqa: PLC0415 it takes a tenth of a second, which most processes never need

    try:
        country_holidays(country, subdiv=subdivision)
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=1024)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[int]:
    """The ordinals of a country's public holidays in a year, days observed in lieu of a weekend included."""
    from holidays import country_holidays  # noqa: PLC0415 as above

    return frozenset(day.toordinal() for day in country_holidays(country, subdiv=subdivision, years=year))


def minutes(start: str, end: str) -> Span:
    """The minutes of an interval after its day's midnight. An end at or before the start is on the next day, so ends are 1 to 2,879."""
    opens, closes = _minute(start), _minute(end)
    return opens, closes if closes > opens else closes + MINUTES_A_DAY


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time without overlaps, in order: spans that touch become one, empty ones are dropped."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif start < end:
            joined.append((start, end))
    return joined


def covers_the_week(week: tuple[Hours, ...]) -> bool:
    """Whether an ordinary week has no closed minute. Two weeks in a row are laid out, as Sunday night may run into Monday."""
    laid_out = ((opens + day * MINUTES_A_DAY, closes + day * MINUTES_A_DAY) for day in range(14) for opens, closes in week[day % 7])
    return any(start <= MINUTES_A_DAY and end >= 8 * MINUTES_A_DAY for start, end in union(laid_out))


def first_instant(zone: ZoneInfo, wall: datetime) -> int:
    """When the zone's clocks first read `wall` (naive) or more."""
    before, after = zone.utcoffset(wall) or NO_OFFSET, zone.utcoffset(wall.replace(fold=1)) or NO_OFFSET
    if before >= after:  # the usual case, or a time that comes twice: `before` is then the offset of its first occurrence
        return (wall - before - EPOCH) // MICROSECOND
    return _end_of_gap(zone, wall - after, wall - before)


def _end_of_gap(zone: ZoneInfo, earlier: datetime, later: datetime) -> int:
    """The instant (naive UTC in, to the second) at which the clocks jump, in (earlier, later]."""
    offset = zone.fromutc(earlier.replace(tzinfo=zone)).utcoffset()
    still, jumped = 0, (later - earlier) // timedelta(seconds=1)
    while jumped - still > 1:
        middle = (still + jumped) // 2
        at = (earlier + timedelta(seconds=middle)).replace(tzinfo=zone)
        still, jumped = (middle, jumped) if zone.fromutc(at).utcoffset() == offset else (still, middle)
    return (earlier - EPOCH) // MICROSECOND + jumped * SECOND


class Block(NamedTuple):
    """The open spans of 32 days of UTC, and how much is open up to the end of each."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    sums: tuple[int, ...]

    @property
    def total(self) -> int:
        """Open microseconds of the block."""
        return self.sums[-1] if self.sums else 0

    def open_before(self, at: int) -> int:
        """Open microseconds between the block's beginning and an instant of the block."""
        last = bisect_right(self.starts, at) - 1
        return self.sums[last] - max(0, self.ends[last] - at) if last >= 0 else 0

    def reached(self, amount: int) -> int:
        """The first instant with that much open before it; 0 < amount <= total."""
        span = bisect_left(self.sums, amount)
        return self.ends[span] - (self.sums[span] - amount)


class Timetable:
    """When a calendar is open, as spans of UTC, computed a block at a time and on demand.

    A day is its ordinal (`date.toordinal`). `week` holds the hours of Monday to Sunday; `dated` those of particular days, which
    replace the weekday's; `public` is a country and its subdivision, whose holidays close the day unless it is in `dated`.
    """

    def __init__(self, zone: str, week: tuple[Hours, ...], dated: Mapping[int, Hours], public: tuple[str, str | None] | None) -> None:
        self._zone = ZoneInfo(zone)
        self._week = week
        self._dated = dated
        self.size = 1024 + sum(128 + _SPAN_BYTES * len(hours) for hours in dated.values())
        """Bytes, as a guess: a block that is kept keeps its timetable."""
        self._public = public
        self.is_always_open = not dated and not public and covers_the_week(week)

    def elapsed(self, start: int, end: int) -> int:
        """Open microseconds from start to end, where start <= end."""
        first, last = start // BLOCK, end // BLOCK
        whole = sum(_block(self, index).total for index in range(first, last))
        return whole + _block(self, last).open_before(end) - _block(self, first).open_before(start)

    def reached(self, start: int, amount: int, limit: int) -> int | None:
        """The first instant with `amount` > 0 open microseconds since start; none if that is later than `limit`."""
        index = start // BLOCK
        left = amount + _block(self, index).open_before(start)
        while left > _block(self, index).total:
            left -= _block(self, index).total
            index += 1
            if index * BLOCK > limit:
                return None
        due = _block(self, index).reached(left)
        return due if due <= limit else None

    def spans(self, first_day: int, last_day: int) -> Iterator[Span]:
        """The open spans of the intervals that start on these days; one that runs past midnight belongs to the day it starts on."""
        for day in range(max(1, first_day), min(LAST_DAY, last_day) + 1):
            midnight = datetime.fromordinal(day)
            for opens, closes in self._hours(day):
                yield first_instant(self._zone, midnight + opens * MINUTE), first_instant(self._zone, midnight + closes * MINUTE)

    def _hours(self, day: int) -> Hours:
        if day in self._dated:
            return self._dated[day]
        if self._public and day in public_holidays(*self._public, date.fromordinal(day).year):
            return ()
        return self._week[(day - 1) % 7]  # day 1 was a Monday


# One cache for all calendars, so that the memory is bounded whatever their number and however often they open and close.
_blocks: ByteCache[tuple[Timetable, int], Block] = ByteCache(32 * 1024 * 1024)
_SPAN_BYTES = 120
"""Of three numbers in three tuples."""


def _block(timetable: Timetable, index: int) -> Block:
    block = _blocks.get((timetable, index))
    if block is None:
        block = _laid_out(timetable, index)
        _blocks.keep((timetable, index), block, timetable.size + _SPAN_BYTES * len(block.starts))
    return block


def _laid_out(timetable: Timetable, index: int) -> Block:
    start, end = index * BLOCK, (index + 1) * BLOCK
    # A wall date is at most a day away from UTC's, an interval reaches into the next day, and Samoa once skipped a whole day.
    days = timetable.spans(EPOCH_DAY + start // DAY - 3, EPOCH_DAY + end // DAY + 1)
    spans = union((max(opens, start), min(closes, end)) for opens, closes in days)
    sums = accumulate(closes - opens for opens, closes in spans)
    return Block(tuple(span[0] for span in spans), tuple(span[1] for span in spans), tuple(sums))
