"""The rules that one ticket is held to: each in the version that it is pinned to."""

from typing import NamedTuple

from models.policy.calendar import Calendar
from models.policy.ladder import Ladder
from models.policy.sla import SlaPolicy


class Rules(NamedTuple):
    """A calendar comes with a policy, and a target with both; a ticket under no policy has no clocks."""

    policy: SlaPolicy | None = None
    calendar: Calendar | None = None
    ladder: Ladder | None = None
