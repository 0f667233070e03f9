"""Deadlines as instants: what a ticket's workflow waits for. :mod:`models.sla.run_due` declares the kinds, and what is done about each."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from pydantic import ConfigDict

from models.sla.calendar import Calendar
from models.sla.clock import Clock, instant_of
from models.sla.ladder import Ladder, Rung
from models.sla.policy import Metric
from models.value import Open, Value

WARN = "warn"
BREACH = "breach"
ESCALATE = "escalate"


class Deadline(Value):
    """``metric`` and ``cycle`` name the clock that it is about, ``fraction`` the warning, ``level`` the rung."""

    model_config = ConfigDict(extra="ignore")  # crosses Temporal, where an older worker reads what a newer one wrote

    kind: str
    due_at: datetime
    metric: Open[Metric] | None = None
    cycle: int | None = None
    level: int | None = None
    fraction: float | None = None

    @property
    def clock(self) -> tuple[Metric, int]:
        """The key of its clock.

        Raises:
            ValueError: it is about no clock that this release knows.
        """
        return Metric(self.metric or ""), self.cycle or 0

    @property
    def key(self) -> str:
        """Its name within its kind, for people: ``resolution/1/2`` is metric, cycle, level."""
        parts = (self.metric, self.cycle, self.level, self.fraction and f"{self.fraction:g}")
        return "/".join(str(part) for part in parts if part is not None)


class DeadlineInputs(Value):
    """What of a ticket makes deadlines. ``taken`` holds (metric, cycle, level) of rungs, ``instants`` those that the ticket's row names."""

    clocks: tuple[Clock, ...]
    calendar: Calendar | None
    ladder: Ladder | None
    warn_at_fractions: tuple[float, ...]
    taken: frozenset[tuple[Metric, int, int]] = frozenset()
    instants: Mapping[str, datetime] = {}


def warnings_of(inputs: DeadlineInputs) -> Iterator[Deadline]:
    """A fraction of the target is used: one deadline for each fraction without a warning so far."""
    for clock, calendar in _live(inputs):
        for fraction in () if clock.breached_at else inputs.warn_at_fractions:
            at = instant_of(clock, clock.target * fraction, calendar)
            if fraction > clock.warned_fraction and at is not None:
                yield Deadline(kind=WARN, due_at=at, metric=clock.metric, cycle=clock.cycle, fraction=fraction)


def breaches_of(inputs: DeadlineInputs) -> Iterator[Deadline]:
    for clock, _ in _live(inputs):
        if clock.is_running and clock.breached_at is None and clock.due_at is not None:
            yield Deadline(kind=BREACH, due_at=clock.due_at, metric=clock.metric, cycle=clock.cycle)


def rungs_of(inputs: DeadlineInputs) -> Iterator[Deadline]:
    """A rung that was reached stays due while the clock stands still."""
    for clock, calendar in _live(inputs):
        for rung in inputs.ladder.rungs if inputs.ladder else ():
            if rung.metric is clock.metric and rung_is_open(inputs, clock, rung):
                at = clock.reached.get(rung.level) or instant_of(clock, rung.after(clock.target), calendar)
                if at is not None:
                    yield Deadline(kind=ESCALATE, due_at=at, metric=clock.metric, cycle=clock.cycle, level=rung.level)


def rung_is_open(inputs: DeadlineInputs, clock: Clock, rung: Rung) -> bool:
    """Neither it nor a higher one was taken in this cycle, and none was acknowledged since the clock was reopened."""
    cycle = (clock.metric, clock.cycle)
    reached = max((level for metric, number, level in inputs.taken if (metric, number) == cycle), default=0)
    return rung.level > reached and not clock.is_acknowledged


def due(deadlines: Iterable[Deadline], at: datetime) -> tuple[Deadline, ...]:
    """Those to be acted on at ``at``. A clock whose breach is due as well has no warning."""
    found = [deadline for deadline in deadlines if deadline.due_at <= at]
    breached = {deadline.clock for deadline in found if deadline.kind == BREACH}
    return tuple(each for each in found if each.kind != WARN or each.clock not in breached)


def _live(inputs: DeadlineInputs) -> Iterator[tuple[Clock, Calendar]]:
    if inputs.calendar is not None:
        yield from ((clock, inputs.calendar) for clock in inputs.clocks if clock.is_live)
