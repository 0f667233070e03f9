"""The oracle's values, in plain numbers: the SLA configuration, a ticket's cycles, the rungs that were taken."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.sla.oracle_open_time import OpenTime


class PlainRung(NamedTuple):
    metric: str
    level: int
    fraction: float | None
    offset: int

    def after(self, target: int) -> int:
        return target + self.offset if self.fraction is None else round(target * self.fraction)


class PlainConfiguration(NamedTuple):
    """`targets` by priority and metric, in open seconds. A ticket without a policy has no target."""

    open_time: OpenTime
    targets: dict[str, dict[str, int | None]]
    pause_on: dict[str, tuple[str, ...]]
    fractions: tuple[float, ...] = ()
    on_reopen: str = "continue"
    rungs: tuple[PlainRung, ...] = ()
    name: str = ""

    def target(self, priority: str, metric: str) -> int | None:
        return self.targets.get(priority, {}).get(metric)

    def amounts(self, target: int) -> list[int]:
        """The amounts of used time at which something is due: the target, the warnings, the rungs."""
        return [target, *(round(target * fraction) for fraction in self.fractions), *(rung.after(target) for rung in self.rungs)]


@dataclass
class Cycle:
    """`reached`: since when each rung is due. `is_acknowledged`: an agent acknowledged a rung since the cycle was last reopened."""

    metric: str
    number: int
    target: int
    used: int = 0
    runs: bool = False
    warned: float = 0
    started: int | None = None
    due: int | None = None
    breached: int | None = None
    stopped: int | None = None
    cancelled: int | None = None
    reached: dict[int, int] = field(default_factory=dict)
    is_acknowledged: bool = False

    @property
    def status(self) -> str:
        ended = "cancelled" if self.cancelled else "breached" if self.breached else "achieved" if self.stopped else None
        standing = "paused" if self.started else "pending"
        return ended or (("imminent" if self.warned else "running") if self.runs else standing)


class Cycles(list[Cycle]):
    def live(self) -> list[Cycle]:
        return [cycle for cycle in self if cycle.stopped is None and cycle.cancelled is None]

    def running(self) -> list[Cycle]:
        return [cycle for cycle in self if cycle.runs]

    def last(self, metric: str) -> Cycle | None:
        return next((cycle for cycle in reversed(self) if cycle.metric == metric), None)


@dataclass
class TakenRung:
    metric: str
    cycle: int
    level: int
    due: int | None
    at: int
    is_superseded: bool

    def holds_off(self, metric: str, cycle: int, level: int) -> bool:
        """A rung is taken at most once a cycle, and never below one that was taken."""
        return (self.metric, self.cycle) == (metric, cycle) and self.level >= level
