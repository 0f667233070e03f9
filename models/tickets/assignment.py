"""Who gets a ticket: of those who are there, on shift, and have its skills, the least loaded relative to what each can carry."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from models.people.roles import Role
from models.sla.calendar import Calendar, is_open
from models.value import Value


class Availability(StrEnum):
    AVAILABLE = "available"
    AWAY = "away"


class Candidate(Value):
    """``load`` counts the unfinished tickets that the agent holds; ``shift`` are their hours, None is at any time.

    ``has_skills``: all that the ticket's category asks for.
    """

    id: int
    role: Role
    capacity: int
    load: int
    availability: Availability = Availability.AVAILABLE
    away_until: datetime | None = None
    shift: Calendar | None = None
    has_skills: bool = True

    def is_there(self, at: datetime) -> bool:
        return not self.is_away(at) and self.is_on_shift(at)

    def is_away(self, at: datetime) -> bool:
        """Away ends by itself at ``away_until``."""
        return self.availability is Availability.AWAY and (self.away_until is None or self.away_until > at)

    def is_on_shift(self, at: datetime) -> bool:
        return self.shift is None or is_open(self.shift, at)

    def can_take_one(self, at: datetime) -> bool:
        return self.is_there(at) and self.load < self.capacity


def choose(candidates: Iterable[Candidate], at: datetime) -> Candidate | None:
    """The least loaded relative to capacity; ties by id. None when no agent is there, or all are full."""
    return min((c for c in candidates if c.can_take_one(at)), key=lambda c: (c.load / c.capacity, c.id), default=None)


def choose_for_intake(candidates: Iterable[Candidate], at: datetime) -> Candidate | None:
    """An agent first; a senior only when no agent can take it. A lead gets tickets by hand or by the ladder.

    Each has the skills: without anybody who has them the ticket waits. The ladder does not ask for them: it looks for who answers for it.
    """
    pool = [candidate for candidate in candidates if candidate.has_skills]
    return choose((c for c in pool if c.role is Role.AGENT), at) or choose((c for c in pool if c.role is Role.SENIOR), at)


class Unavailable(NamedTuple):
    """Of those who get tickets at intake, each counted once: the first of these that keeps them from it."""

    away: int
    off_shift: int
    full: int
    unskilled: int


def unavailable(candidates: Iterable[Candidate], at: datetime) -> Unavailable:
    """Why none of them gets the ticket."""
    pool = [c for c in candidates if c.role in {Role.AGENT, Role.SENIOR}]
    here = [c for c in pool if not c.is_away(at)]
    on_shift = [c for c in here if c.is_on_shift(at)]
    free = [c for c in on_shift if c.can_take_one(at)]
    return Unavailable(
        away=len(pool) - len(here),
        off_shift=len(here) - len(on_shift),
        full=len(on_shift) - len(free),
        unskilled=sum(not c.has_skills for c in free),
    )
