"""Who gets a ticket: the least loaded of those who are there, relative to what each can carry."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from models.people.roles import Role
from models.value import Value


class Availability(StrEnum):
    AVAILABLE = "available"
    AWAY = "away"


class Candidate(Value):
    """``load`` counts the unfinished tickets that the agent holds."""

    id: int
    role: Role
    capacity: int
    load: int
    availability: Availability = Availability.AVAILABLE
    away_until: datetime | None = None

    def is_there(self, at: datetime) -> bool:
        """Away ends by itself at ``away_until``."""
        return self.availability is Availability.AVAILABLE or (self.away_until is not None and self.away_until <= at)

    def can_take_one(self, at: datetime) -> bool:
        return self.is_there(at) and self.load < self.capacity


def choose(candidates: Iterable[Candidate], at: datetime) -> Candidate | None:
    """The least loaded relative to capacity; ties by id. None when no agent is there, or all are full."""
    return min((c for c in candidates if c.can_take_one(at)), key=lambda c: (c.load / c.capacity, c.id), default=None)


def choose_for_intake(candidates: Iterable[Candidate], at: datetime) -> Candidate | None:
    """An agent first; a senior only when no agent can take it. A lead gets tickets by hand or by the ladder."""
    pool = list(candidates)
    return choose((c for c in pool if c.role is Role.AGENT), at) or choose((c for c in pool if c.role is Role.SENIOR), at)


def unavailable(candidates: Iterable[Candidate], at: datetime) -> tuple[int, int]:
    """Of those who get tickets at intake: how many are away, and how many of the others have as many as they may have."""
    pool = [c for c in candidates if c.role in {Role.AGENT, Role.SENIOR}]
    away = sum(not c.is_there(at) for c in pool)
    return away, sum(c.is_there(at) and not c.can_take_one(at) for c in pool)
