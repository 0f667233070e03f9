"""A ticket under change: its row, locked, with all that decides what happens next; and the one place where a change is written.

An operation changes the case; :mod:`models.tickets.repository` opens and writes it, in the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.audit import Change
from models.db.session import TenantSession
from models.sla.attribution import attribution, traits_that_count
from models.sla.clock import Clock, ClockStatus
from models.sla.clocks import Clocks
from models.sla.deadlines import Deadline, DeadlineInputs, deadlines_of
from models.sla.pinned import SlaConfiguration
from models.sla.policy import Metric
from models.sla.tables import Escalation, SlaClock
from models.tickets.lifecycle import Status
from models.tickets.messages import TicketFacts
from models.tickets.tables import Event, Ticket

_SEVERITY = (ClockStatus.BREACHED, ClockStatus.IMMINENT, ClockStatus.RUNNING, ClockStatus.PAUSED, ClockStatus.ACHIEVED)
_OF_CLOCK = set(Clock.model_fields)


class TicketAggregate:
    """``clocks`` hold frozen values, replaced whole; their rows are written at the end.

    ``at`` is what the audit says: a process whose clock is behind does not write into a ticket's past, its history only goes forward.
    ``requested_at`` is the instant that was asked for. What is due is judged by it: a process whose clock was ahead made nothing due.
    ``breaches`` and ``warnings`` were recorded with these events and are not told yet; ``told`` learn of that clock from a rung.
    """

    def __init__(self, session: TenantSession, row: Ticket, configuration: SlaConfiguration, change: Change) -> None:
        self.session = session
        self.row = row
        self.change = change
        self.requested_at = change.at
        self.at = max(change.at, row.updated_at)
        self.clocks = Clocks((), configuration)
        self.escalations: list[Escalation] = []
        self.has_changed = False
        self.has_news = False
        self.freed_team_id: int | None = None
        self.breaches: dict[tuple[Metric, int], int] = {}
        self.warnings: dict[tuple[Metric, int], int] = {}
        self.told: dict[tuple[Metric, int], set[int]] = defaultdict(set)
        self._rows: dict[tuple[Metric, int], SlaClock] = {}
        self._known: TicketFacts | None = None
        self._traits = traits_that_count(row)

    @property
    def turn_at(self) -> datetime:
        """When its clocks turn: as asked, but never before one of them last turned."""
        return max([self.requested_at, *(clock.turned_at for clock in self.clocks.by_key.values() if clock.turned_at)])

    @property
    def configuration(self) -> SlaConfiguration:
        return self.clocks.configuration

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
        self.has_changed = True
        return event_id

    def status_change(self, before: Status) -> dict[str, list[Status]]:
        """What the audit says of the status, if it is another than ``before``."""
        return {} if before is self.row.status else {"status": [before, self.row.status]}

    def deadlines(self) -> tuple[Deadline, ...]:
        return deadlines_of(self.promises())

    def promises(self) -> DeadlineInputs:
        policy = self.configuration.policy
        taken = [e for e in self.escalations if e.metric is not None and e.cycle is not None]
        return DeadlineInputs(
            clocks=tuple(self.clocks.by_key.values()),
            calendar=self.configuration.calendar,
            ladder=self.configuration.ladder,
            warn_at_fractions=policy.warn_at_fractions if policy else (),
            taken=frozenset((e.metric, e.cycle, e.level) for e in taken),
            survey_at=self.row.survey_at,
            auto_close_at=self.row.auto_close_at,
            snoozed_until=self.row.snoozed_until,
        )

    def facts(self) -> TicketFacts:
        """What the workflow has to know, as of the version in which it last changed."""
        row = self.row
        has_ended = row.status is Status.CLOSED or row.deleted_at is not None
        return TicketFacts(
            merchant_id=row.merchant_id,
            ticket_id=row.id,
            version=row.facts_version,
            number=row.number,
            status=row.status,
            priority=row.priority,
            sla_status=row.sla_status,
            escalation_level=row.escalation_level,
            is_assigned=row.assignee_id is not None,
            deadlines=() if has_ended else self.deadlines(),
            has_ended=has_ended,
        )

    def adopt(self, rows: list[SlaClock], escalations: list[Escalation]) -> None:
        self._rows = {(row.metric, row.cycle): row for row in rows}
        self.clocks = Clocks((clock_of(row) for row in rows), self.configuration)
        self.escalations = escalations
        self._known = self.facts()

    def repeat(self) -> None:
        """The engine goes by other facts than these: they get a new version, so that it takes them."""
        self._known = None

    def summarise(self) -> TicketFacts:
        """Bring the rows up to what happened. The facts get a new version only when time is concerned."""
        if self.has_changed:
            self._write_clocks()
            self._write_summary()
            self.row.version += 1
            self.row.updated_at = self.at
        facts = self.facts()
        if facts == self._known:
            return facts
        self.has_news = True
        self.row.facts_version = max(self.row.version, self.row.facts_version + 1)
        self.row.next_deadline_at = facts.deadlines[0].due_at if facts.deadlines else None
        return facts.model_copy(update={"version": self.row.facts_version})

    def _write_clocks(self) -> None:
        at = self.turn_at
        for key, clock in self.clocks.by_key.items():
            row = self._rows.get(key)
            columns = clock.model_dump() | attribution(clock, at, self._traits, row.attributed_at if row else None)
            if row is None or not (row.stopped_at or row.cancelled_at):  # what was over keeps the policy under which it ended
                columns |= {"policy_id": self.row.policy_id, "policy_version": self.row.policy_version}
            if row is None:
                self.session.append(SlaClock, merchant_id=self.row.merchant_id, ticket_id=self.row.id, **columns)
            else:
                row.sqlmodel_update({name: value for name, value in columns.items() if getattr(row, name) != value})

    def _write_summary(self) -> None:
        live = self.clocks.live()
        latest = [clock for metric in Metric if (clock := self.clocks.latest(metric))]
        self.row.sla_status = worst([clock.status for clock in live] or [clock.status for clock in latest])
        due = [clock.due_at for clock in live if clock.is_running and clock.due_at and not clock.breached_at]
        self.row.next_due_at = min(due, default=None)


def clock_of(row: SlaClock) -> Clock:
    return Clock.model_validate(row.model_dump(include=_OF_CLOCK))


def worst(statuses: Sequence[ClockStatus]) -> ClockStatus | None:
    """The status of a ticket: that of the clock which needs attention most."""
    return next((status for status in _SEVERITY if status in statuses), None)


def id_text(number: int | None) -> str | None:
    """An id as the audit shows it: JSON's numbers end at 2**53."""
    return None if number is None else str(number)
