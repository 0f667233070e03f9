"""The SLA configuration that one ticket is held to: each part in the version that it is pinned to."""

from typing import NamedTuple

from models.sla.calendar import Calendar
from models.sla.ladder import Ladder, Rung
from models.sla.policy import SlaPolicy


class Pin(NamedTuple):
    """Which versions a ticket was opened under, or was recalculated to."""

    policy_id: int
    policy_version: int
    calendar_version: int
    ladder_version: int | None


class SlaConfiguration(NamedTuple):
    """A calendar comes with a policy, and a target with both; a ticket under no policy has no clocks."""

    policy: SlaPolicy | None = None
    calendar: Calendar | None = None
    ladder: Ladder | None = None

    @property
    def warn_at_fractions(self) -> tuple[float, ...]:
        return self.policy.warn_at_fractions if self.policy else ()

    @property
    def rungs(self) -> tuple[Rung, ...]:
        return self.ladder.rungs if self.ladder else ()
