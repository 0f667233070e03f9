"""Flaws of SLA configuration that its types allow: overlaps, duplicates, rungs out of order. Each names the place where it stands."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from models.sla import business_time
from models.sla.calendar import Intervals, Weekly
from models.sla.ladder import Rung

_WEEK = 7 * business_time.MINUTES_A_DAY


class Flaw(NamedTuple):
    """``path`` leads from the validated value to the offending part of it."""

    path: tuple[str | int, ...]
    code: str
    detail: str


def refuse(flaws: Iterable[Flaw]) -> None:
    """Report all flaws at once, as a validator of the value does.

    Raises:
        ValidationError: there is a flaw. Pydantic puts the place of the value itself in front of each path.
    """
    if found := [InitErrorDetails(type=_kind(flaw), loc=flaw.path, input=None) for flaw in flaws]:
        raise ValidationError.from_exception_data("rule", found)


def repeated(keys: Sequence[Hashable], *rest: str, detail: str = "The same stands there twice.") -> Iterator[Flaw]:
    """Each item that repeats the key of an earlier one; ``rest`` leads from the item to its key."""
    seen: set[Hashable] = set()
    for place, key in enumerate(keys):
        if key in seen:
            yield Flaw((place, *rest), "duplicate", detail)
        seen.add(key)


def overlaps_of_week(weekly: Weekly) -> Iterator[Flaw]:
    """Each interval that starts before an earlier one has ended, also across midnight and from Sunday into Monday."""
    names = tuple(Weekly.model_fields)
    spans = sorted(
        (opens + day * business_time.MINUTES_A_DAY, closes + day * business_time.MINUTES_A_DAY, day, place)
        for day, intervals in enumerate(weekly.days)
        for place, (opens, closes) in _minutes(intervals)
    )
    open_until = max((closes for _, closes, _, _ in spans), default=0) - _WEEK
    for opens, closes, day, place in spans:
        if opens < open_until:
            yield _overlap(names[day], place)
        open_until = max(open_until, closes)


def overlaps_of_day(intervals: Intervals) -> Iterator[Flaw]:
    """The same within one day; the part of an interval after midnight is ignored."""
    open_until = 0
    for place, (opens, closes) in sorted(_minutes(intervals), key=lambda item: item[1]):
        if opens < open_until:
            yield _overlap(place)
        open_until = max(open_until, closes)


def rungs_out_of_order(rungs: Sequence[Rung]) -> Iterator[Flaw]:
    """Each rung that is due no later than a lower one of its metric, whatever the target: the lower one would never be taken."""
    places = sorted(range(len(rungs)), key=lambda place: rungs[place].level)
    found = (high for low, high in combinations(places, 2) if _contradict(rungs[low], rungs[high]))
    for place in dict.fromkeys(found):
        yield Flaw((place,), "rung_out_of_order", "A rung of a higher level has to come later than those below it.")


def _contradict(low: Rung, high: Rung) -> bool:
    if low.metric is not high.metric or low.level == high.level:
        return False
    if low.at_fraction is not None and high.at_fraction is not None:
        return high.at_fraction <= low.at_fraction
    if low.offset_seconds is not None and high.offset_seconds is not None:
        return high.offset_seconds <= low.offset_seconds
    # A fraction and an offset can be compared without the target only if the end of the target lies between them.
    return _beside_the_end(high) <= 0 <= _beside_the_end(low)


def _beside_the_end(rung: Rung) -> float:
    """Negative before the end of the target, positive after it."""
    return rung.at_fraction - 1 if rung.at_fraction is not None else rung.offset_seconds or 0


def _minutes(intervals: Intervals) -> Iterator[tuple[int, business_time.Span]]:
    return ((place, business_time.minutes(*interval)) for place, interval in enumerate(intervals))


def _overlap(*path: str | int) -> Flaw:
    return Flaw(path, "overlapping_interval", "The interval begins before another one has ended.")


def _kind(flaw: Flaw) -> PydanticCustomError:
    return PydanticCustomError(flaw.code, "{detail}", {"detail": flaw.detail})
