"""One SLA clock: how much business time a metric has used, and when it will exceed its target.

The time used is ``spent`` plus what has passed since ``running_since``, under its calendar. Every function takes the instant at which
something happened and returns a new clock; none reads the wall clock. Instants are aware and in UTC; durations are business time to the
microsecond.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pydantic import field_serializer

from models.sla.calendar import Calendar, HorizonExceeded, advance, elapsed
from models.sla.policy import Metric
from models.value import Value

ZERO = timedelta()


class TargetPlan(NamedTuple):
    """The target of a clock, the fractions of it at which to warn, and by level how much time is used when a rung is due."""

    target: timedelta
    fractions: tuple[float, ...] = ()
    rungs: Mapping[int, timedelta] = {}


class ClockStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    IMMINENT = "imminent"
    BREACHED = "breached"
    ACHIEVED = "achieved"
    CANCELLED = "cancelled"


class SlaStatus(StrEnum):
    """A ticket's: that of the worst of its clocks, or none."""

    NONE = "none"
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    IMMINENT = "imminent"
    BREACHED = "breached"
    ACHIEVED = "achieved"
    CANCELLED = "cancelled"


class Clock(Value):
    """``warned_fraction`` is the highest warning given so far. A breach, once recorded, is never taken back.

    ``is_withdrawn``: cancelled because the metric lost its target; if it gets one again, the clock continues.
    ``reached``: by level, since when a rung is due, kept where a pause or another target would lose it.
    ``is_acknowledged``: an agent has acknowledged a rung since the clock was last reopened, so no rung is due.
    """

    metric: Metric
    cycle: int = 1
    target: timedelta
    spent: timedelta = ZERO
    running_since: datetime | None = None
    started_at: datetime | None = None
    due_at: datetime | None = None
    paused_at: datetime | None = None
    warned_fraction: float = 0
    breached_at: datetime | None = None
    stopped_at: datetime | None = None
    cancelled_at: datetime | None = None
    is_withdrawn: bool = False
    reached: Mapping[int, datetime] = {}
    is_acknowledged: bool = False

    @field_serializer("reached")
    def _as_json(self, reached: Mapping[int, datetime]) -> dict[str, str]:
        return {str(level): at.isoformat() for level, at in reached.items()}

    @property
    def status(self) -> ClockStatus:
        if self.cancelled_at:
            return ClockStatus.CANCELLED
        if self.breached_at:
            return ClockStatus.BREACHED
        if self.stopped_at:
            return ClockStatus.ACHIEVED
        if self.running_since:
            return ClockStatus.IMMINENT if self.warned_fraction else ClockStatus.RUNNING
        return ClockStatus.PAUSED if self.started_at else ClockStatus.PENDING

    @property
    def is_live(self) -> bool:
        """Whether the metric is still to be met: the clock is running, paused, or not yet started."""
        return not (self.stopped_at or self.cancelled_at)

    @property
    def turned_at(self) -> datetime | None:
        """When the clock last started, paused or ended."""
        return max((at for at in (self.running_since, self.paused_at, self.stopped_at, self.cancelled_at) if at), default=None)

    @property
    def is_running(self) -> bool:
        return self.running_since is not None


def start(clock: Clock, at: datetime, calendar: Calendar) -> Clock:
    """Start, or continue after a pause or a stop. A running clock is returned unchanged."""
    if clock.is_running:
        return clock
    running = clock.model_copy(
        update={"running_since": at, "started_at": clock.started_at or at, "paused_at": None, "stopped_at": None, "cancelled_at": None},
    )
    return running.model_copy(update={"due_at": instant_of(running, clock.target, calendar)})


def pause(clock: Clock, at: datetime, calendar: Calendar) -> Clock:
    if not clock.is_running:
        return clock
    return clock.model_copy(update=_halt(clock, at, calendar) | {"paused_at": at, "due_at": None})


def stop(clock: Clock, at: datetime, calendar: Calendar) -> Clock:
    """The metric is met. Whether it was met in time was recorded by :func:`settle`, called before."""
    return clock.model_copy(update=_halt(clock, at, calendar) | {"paused_at": None, "stopped_at": at})


def cancel(clock: Clock, at: datetime, calendar: Calendar) -> Clock:
    """The metric no longer applies; it counts neither as met nor as breached."""
    return clock.model_copy(update=_halt(clock, at, calendar) | {"paused_at": None, "cancelled_at": at})


def revive(clock: Clock, at: datetime) -> Clock:
    """Undo a stop or a withdrawal. The clock is paused until it is started; from then on rungs become due anew."""
    update: dict[str, object] = {"stopped_at": None, "cancelled_at": None, "is_withdrawn": False, "due_at": None, "reached": {}}
    return clock.model_copy(update=update | {"paused_at": at if clock.started_at else None})


def restore(clock: Clock) -> Clock:
    """Undo a cancellation as if the clock had been paused; what was due before is still due."""
    paused_at = clock.cancelled_at if clock.started_at else None
    return clock.model_copy(update={"cancelled_at": None, "due_at": None, "paused_at": paused_at})


def restart(clock: Clock, at: datetime) -> Clock:
    """Undo a stop and begin the same cycle again, with nothing spent."""
    return revive(clock, at).model_copy(update={"spent": ZERO, "warned_fraction": 0.0})


def retime(clock: Clock, at: datetime, plan: TargetPlan, *, was: Calendar, calendar: Calendar) -> Clock:
    """Set another target or calendar from ``at`` on; what was spent under the calendar ``was`` stays spent."""
    kept = retarget(clock.model_copy(update=_halt(clock, at, was)), plan)
    if not clock.is_running:
        return kept
    return start(kept, at, calendar)


def retarget(clock: Clock, plan: TargetPlan) -> Clock:
    """Set another target for a clock that is not running. Warnings and rungs that are no longer reached can come again."""
    given = (each for each in plan.fractions if each <= clock.warned_fraction and clock.spent >= plan.target * each)
    still = {level: at for level, at in clock.reached.items() if level in plan.rungs and clock.spent >= plan.rungs[level]}
    return clock.model_copy(update={"target": plan.target, "warned_fraction": max(given, default=0.0), "reached": still})


def reach(clock: Clock, at: datetime, rungs: Mapping[int, timedelta], calendar: Calendar) -> Clock:
    """Keep since when rungs are due that became due before ``at``, also if they were not acted on."""
    instants = {level: instant_of(clock, amount, calendar) for level, amount in rungs.items() if level not in clock.reached}
    due = {level: instant for level, instant in instants.items() if instant is not None and instant < at}
    return clock.model_copy(update={"reached": {**clock.reached, **due}}) if due else clock


def settle(clock: Clock, at: datetime) -> Clock:
    """Record a breach that became true before ``at``, with the instant at which it became true.

    A metric met at the very instant at which it is due is met in time.
    """
    if clock.is_running and clock.breached_at is None and clock.due_at is not None and clock.due_at < at:
        return clock.model_copy(update={"breached_at": clock.due_at})
    return clock


def breach(clock: Clock) -> Clock:
    return clock.model_copy(update={"breached_at": clock.breached_at or clock.due_at})


def warn(clock: Clock, fraction: float) -> Clock:
    return clock.model_copy(update={"warned_fraction": max(clock.warned_fraction, fraction)})


def acknowledge(clock: Clock) -> Clock:
    return clock.model_copy(update={"is_acknowledged": True})


def used(clock: Clock, at: datetime, calendar: Calendar) -> timedelta:
    """Business time used up to ``at``."""
    return clock.spent + (elapsed(calendar, clock.running_since, at) if clock.running_since else ZERO)


def instant_of(clock: Clock, amount: timedelta, calendar: Calendar) -> datetime | None:
    """When the clock will have used ``amount``, if it keeps running; None unless it runs.

    An amount that was already used when the clock last started is due at that start; one beyond the calendar's horizon is never due.
    """
    if clock.running_since is None:
        return None
    try:
        return advance(calendar, clock.running_since, max(amount - clock.spent, ZERO))
    except HorizonExceeded:
        return None


def _halt(clock: Clock, at: datetime, calendar: Calendar) -> dict[str, object]:
    return {"spent": used(clock, at, calendar), "running_since": None}
