"""Every promise that stands, as an instant: what a ticket's workflow waits for."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict

from models.sla.calendar import Calendar
from models.sla.clock import Clock, instant_of
from models.sla.ladder import Ladder, Rung
from models.sla.policy import Metric
from models.value import Value


class DeadlineKind(StrEnum):
    WARN = "warn"
    BREACH = "breach"
    ESCALATE = "escalate"
    WAKE = "wake"
    SURVEY = "survey"
    AUTO_CLOSE = "auto_close"


class Deadline(Value):
    """``key`` names the promise within its kind, for example ``resolution/1/2``: metric, cycle, level."""

    model_config = ConfigDict(extra="ignore")  # crosses Temporal, where an older worker reads what a newer one wrote

    kind: DeadlineKind
    key: str
    due_at: datetime


class DeadlineInputs(Value):
    """What of a ticket makes deadlines. ``taken`` holds (metric, cycle, level) of rungs."""

    clocks: tuple[Clock, ...]
    calendar: Calendar | None
    ladder: Ladder | None
    warn_at_fractions: tuple[float, ...]
    taken: frozenset[tuple[Metric, int, int]]
    survey_at: datetime | None
    auto_close_at: datetime | None
    snoozed_until: datetime | None = None


def deadlines_of(promises: DeadlineInputs) -> tuple[Deadline, ...]:
    """All that is still to come or overdue, the nearest first; equal instants in the order in which they are acted on."""
    found = [*_of_clocks(promises), *_of_snooze(promises), *_after_resolving(promises)]
    order = list(DeadlineKind)
    return tuple(sorted(found, key=lambda d: (d.due_at, order.index(d.kind), d.key)))


def due(deadlines: Iterable[Deadline], at: datetime) -> tuple[Deadline, ...]:
    """What is to be acted on at ``at``. With its breach, or after it, nobody is warned."""
    found = [deadline for deadline in deadlines if deadline.due_at <= at]
    breached = {deadline.key for deadline in found if deadline.kind is DeadlineKind.BREACH}
    return tuple(d for d in found if d.kind is not DeadlineKind.WARN or d.key.rpartition("/")[0] not in breached)


def rung_is_open(promises: DeadlineInputs, clock: Clock, rung: Rung) -> bool:
    """Neither it nor a higher one was taken in this cycle, and nobody acknowledged one since the clock was reopened."""
    cycle = (clock.metric, clock.cycle)
    reached = max((level for metric, number, level in promises.taken if (metric, number) == cycle), default=0)
    return rung.level > reached and not clock.is_acknowledged


def _of_clocks(promises: DeadlineInputs) -> Iterator[Deadline]:
    if promises.calendar is None:
        return
    for clock in promises.clocks:
        if clock.is_live:
            yield from _warnings(promises, clock, promises.calendar)
            yield from _breach(clock)
            yield from _rungs(promises, clock, promises.calendar)


def _warnings(promises: DeadlineInputs, clock: Clock, calendar: Calendar) -> Iterator[Deadline]:
    if clock.breached_at:
        return
    for fraction in promises.warn_at_fractions:
        at = instant_of(clock, clock.target * fraction, calendar)
        if fraction > clock.warned_fraction and at is not None:
            yield Deadline(kind=DeadlineKind.WARN, key=f"{clock.metric}/{clock.cycle}/{fraction:g}", due_at=at)


def _breach(clock: Clock) -> Iterator[Deadline]:
    if clock.is_running and clock.breached_at is None and clock.due_at is not None:
        yield Deadline(kind=DeadlineKind.BREACH, key=f"{clock.metric}/{clock.cycle}", due_at=clock.due_at)


def _rungs(promises: DeadlineInputs, clock: Clock, calendar: Calendar) -> Iterator[Deadline]:
    """One that was reached stays due while the clock stands still."""
    for rung in promises.ladder.rungs if promises.ladder else ():
        if rung.metric is clock.metric and rung_is_open(promises, clock, rung):
            at = clock.reached.get(rung.level) or instant_of(clock, rung.after(clock.target), calendar)
            if at is not None:
                yield Deadline(kind=DeadlineKind.ESCALATE, key=f"{clock.metric}/{clock.cycle}/{rung.level}", due_at=at)


def _of_snooze(promises: DeadlineInputs) -> Iterator[Deadline]:
    if promises.snoozed_until:
        yield Deadline(kind=DeadlineKind.WAKE, key="", due_at=promises.snoozed_until)


def _after_resolving(promises: DeadlineInputs) -> Iterator[Deadline]:
    if promises.survey_at:
        yield Deadline(kind=DeadlineKind.SURVEY, key="", due_at=promises.survey_at)
    if promises.auto_close_at:
        yield Deadline(kind=DeadlineKind.AUTO_CLOSE, key="", due_at=promises.auto_close_at)
