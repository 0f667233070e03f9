"""The life of a ticket: its states, and the one table of allowed transitions."""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    NEW = "new"
    OPEN = "open"
    PENDING = "pending"  # waits for the reporter
    ON_HOLD = "on_hold"  # waits for a third party
    RESOLVED = "resolved"
    CLOSED = "closed"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Channel(StrEnum):
    API = "api"
    WEB = "web"
    EMAIL = "email"
    PHONE = "phone"
    CHAT = "chat"


class Transition(StrEnum):
    """A verb that people say, and the state that it leads to."""

    PENDING = "pending"
    HOLD = "hold"
    RESUME = "resume"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"


ALLOWED: Mapping[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.OPEN, Status.PENDING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED}),
    Status.OPEN: frozenset({Status.PENDING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED}),
    Status.PENDING: frozenset({Status.OPEN, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED}),
    Status.ON_HOLD: frozenset({Status.OPEN, Status.PENDING, Status.RESOLVED, Status.CLOSED}),
    Status.RESOLVED: frozenset({Status.OPEN, Status.CLOSED}),
    Status.CLOSED: frozenset(),
}

TARGET: Mapping[Transition, Status] = {
    Transition.PENDING: Status.PENDING,
    Transition.HOLD: Status.ON_HOLD,
    Transition.RESUME: Status.OPEN,
    Transition.RESOLVE: Status.RESOLVED,
    Transition.REOPEN: Status.OPEN,
    Transition.CLOSE: Status.CLOSED,
}

# Both lead to open; each is said of other states, so that a client that mixes them up learns it.
_SOURCES: Mapping[Transition, frozenset[Status]] = {
    Transition.RESUME: frozenset({Status.PENDING, Status.ON_HOLD}),
    Transition.REOPEN: frozenset({Status.RESOLVED}),
}

UNFINISHED = frozenset({Status.NEW, Status.OPEN, Status.PENDING, Status.ON_HOLD})
"""The states in which there is still work: they count towards an agent's load."""

REOPENED_BY_REPORTER = frozenset({Status.PENDING, Status.ON_HOLD, Status.RESOLVED})


def is_allowed(transition: Transition, current: Status) -> bool:
    return TARGET[transition] in ALLOWED[current] and current in _SOURCES.get(transition, frozenset(Status))


def may_snooze(current: Status) -> bool:
    """A snooze is a hold with an end: what is held already only gets, or moves, the end."""
    return current is Status.ON_HOLD or is_allowed(Transition.HOLD, current)


def allowed_from(current: Status) -> list[Status]:
    """The states that ``current`` may change to, in the order of the lifecycle."""
    return [status for status in Status if status in ALLOWED[current]]


def transition_to(wanted: Status, current: Status) -> Transition | None:
    """The verb that leads from ``current`` to ``wanted``, if there is one."""
    return next((transition for transition, status in TARGET.items() if status is wanted and is_allowed(transition, current)), None)
