"""A ticket under change: its row, locked, with all that decides what happens next.

Verbs change it; :mod:`models.tickets.repository` locks and saves it, in the caller's transaction.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

from models.audit import Change
from models.db.session import TenantSession
from models.errors import IllegalTransition
from models.sla.clocks import Clocks
from models.sla.pinned import SlaConfiguration
from models.sla.tables import Escalation, SlaClock
from models.tickets.lifecycle import ALLOWED, UNFINISHED, Priority, Status, allowed_from
from models.tickets.messages import NobodyFree, TicketFacts
from models.tickets.tables import Event, Ticket

SEEN_BY_REPORTER: Final = (
    "organizer_id",
    "subject",
    "description",
    "status",
    "priority",
    "category",
    "channel",
    "tags",
    "custom_fields",
    "first_responded_at",
    "resolved_at",
    "closed_at",
    "merged_into_id",
    "follow_up_of_id",
)
"""The columns that may change and that the ticket's reporter is shown."""


def _seen_by_reporter(row: Ticket) -> tuple[Any, ...]:
    """What was not loaded (a batch of a job reads no texts) was not changed either."""
    return tuple(map(row.__dict__.get, SEEN_BY_REPORTER))


class Loaded(NamedTuple):
    """What of the ticket's row a save compares with what is now."""

    status: Status
    priority: Priority
    assignee_id: int | None
    team_id: int | None
    organizer_id: int | None
    deleted_at: datetime | None
    seen_by_reporter: tuple[Any, ...]

    @classmethod
    def of(cls, row: Ticket) -> "Loaded":
        return cls(row.status, row.priority, row.assignee_id, row.team_id, row.organizer_id, row.deleted_at, _seen_by_reporter(row))

    @property
    def holder_id(self) -> int | None:
        """The agent whose load it counts towards."""
        return self.assignee_id if self.status in UNFINISHED and self.deleted_at is None else None


REPLIED: Final = "ticket.replied"


class Recorded(NamedTuple):
    """A row of the audit, written by this change."""

    id: int
    kind: str
    changes: dict[str, Any]


class TicketAggregate:
    """``clocks`` hold frozen values, replaced whole; their rows are written by the save.

    ``at`` is what the audit says: a process whose clock is behind does not write into a ticket's past, its history only goes forward.
    ``requested_at`` is the instant that was asked for. What is due is judged by it: a process whose clock was ahead made nothing due.
    ``events`` and ``notified`` (cause and recipient) are what this change has recorded so far.
    ``is_saved``: a lock is good for one save.
    ``known`` are the facts that the ticket's workflow goes by; None makes the next save send it new ones.
    ``nobody_free``: this change looked for an agent and found none.
    """

    def __init__(self, session: TenantSession, row: Ticket, configuration: SlaConfiguration, change: Change) -> None:
        self.session = session
        self.row = row
        self.change = change
        self.requested_at = change.at
        self.at = max(change.at, row.updated_at)
        self.clocks = Clocks((), configuration)
        self.clock_rows: list[SlaClock] = []
        self.escalations: list[Escalation] = []
        self.known: TicketFacts | None = None
        self.is_saved = False
        self.loaded = Loaded.of(row)
        self.events: list[Recorded] = []
        self.notified: list[tuple[int, int]] = []
        self.merchant_slug = ""
        self.nobody_free: NobodyFree | None = None

    @property
    def configuration(self) -> SlaConfiguration:
        return self.clocks.configuration

    @property
    def is_seen_by_reporter(self) -> bool:
        """Whether this change is one that the ticket's reporter sees: in a column that they are shown, or as a public reply."""
        if self.row.version == 0 or any(event.kind == REPLIED for event in self.events):
            return True
        return any(map(_differs, _seen_by_reporter(self.row), self.loaded.seen_by_reporter))

    @property
    def has_ended(self) -> bool:
        """Nothing is left to wait for."""
        return self.row.status is Status.CLOSED or self.row.deleted_at is not None

    @property
    def turn_at(self) -> datetime:
        """When its clocks turn: as asked, but never before one of them last turned."""
        return max([self.requested_at, *(clock.turned_at for clock in self.clocks.by_key.values() if clock.turned_at)])

    def set_status(self, status: Status) -> Status:
        """Every change of the status passes here, and the table of transitions decides. Returns the status before.

        Raises:
            IllegalTransition: the table has no way from here to ``status``.
        """
        before = self.row.status
        if status not in ALLOWED[before]:
            raise IllegalTransition(before, status, allowed_from(before))
        self.row.status = status
        return before

    def status_change(self, before: Status) -> dict[str, list[Status]]:
        """What the audit says of the status, if it is another than ``before``."""
        return {} if before is self.row.status else {"status": [before, self.row.status]}

    def record(self, kind: str, **changes: Any) -> int:
        """Write one row of the audit. Its id is the cause of what follows from it."""
        row, by = self.row, self.change.by
        row.event_sequence += 1
        event_id = self.session.new_id()
        self.session.append(
            Event,
            merchant_id=row.merchant_id,
            id=event_id,
            ticket_id=row.id,
            sequence=row.event_sequence,
            at=self.at,
            actor_kind=by.kind,
            actor_id=by.id,
            actor_name=by.name,
            kind=kind,
            changes=changes,
            request_id=self.change.request_id,
        )
        self.events.append(Recorded(event_id, kind, changes))
        return event_id


def _differs(now: object, was: object) -> bool:
    """A document that was replaced is another one: 1 and true are equal in Python and two values in JSON."""
    return now is not was and (now != was or isinstance(now, dict))


def id_text(number: int | None) -> str | None:
    """An id as the audit shows it: JSON's numbers end at 2**53."""
    return None if number is None else str(number)
