"""A merchant's rules in plain numbers, for the naive model."""

from typing import NamedTuple

from tests.models.policy.open_time import OpenTime


class PlainRung(NamedTuple):
    metric: str
    level: int
    fraction: float | None
    offset: int

    def after(self, target: int) -> int:
        return target + self.offset if self.fraction is None else round(target * self.fraction)


class PlainRules(NamedTuple):
    """`targets` by priority and metric, in open seconds. A ticket that no policy is for has no target at all."""

    open_time: OpenTime
    targets: dict[str, dict[str, int | None]]
    pause_on: dict[str, tuple[str, ...]]
    fractions: tuple[float, ...] = ()
    on_reopen: str = "continue"
    rungs: tuple[PlainRung, ...] = ()
