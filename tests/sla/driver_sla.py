"""The driver of the code under test: calls the pure files of `models.sla` as the verbs and the workflow do."""

from dataclasses import dataclass
from datetime import datetime

from models.sla.calendar import Calendar
from models.sla.clock import Clock, settle, used
from models.sla.clocks import Breach, ClockChange, Clocks, TicketState
from models.sla.deadlines import BREACH, ESCALATE, WARN, Deadline, DeadlineInputs, due
from models.sla.ladder import DEFAULT_LADDER
from models.sla.pinned import SlaConfiguration
from models.sla.policy import Metric
from models.sla.run_due import deadlines_of
from models.tickets.lifecycle import UNFINISHED, Priority, Status
from tests.sla.sla_histories import instant


@dataclass
class Escalation:
    metric: Metric
    cycle: int
    level: int
    due_at: datetime | None
    taken_at: datetime
    is_superseded: bool


class DriverSla:
    """The methods of :class:`tests.sla.oracle_ticket.OracleTicket`, carried out by `models.sla`."""

    def __init__(self, at: int, configuration: SlaConfiguration, priority: str) -> None:
        self.at, self.status, self.priority = instant(at), Status.NEW, Priority(priority)
        self.is_down = self.has_response = self.awaits_reply = False
        self.level = 0
        self.snoozed_until: datetime | None = None
        self.deleted_at: datetime | None = None
        self.clocks = Clocks((), configuration)
        self.escalations: list[Escalation] = []
        self.warnings: list[tuple[Metric, int, float, datetime]] = []
        self.ledger: list[tuple[datetime, ClockChange, Calendar | None]] = []
        self.breaches: list[Clock] = []
        self.clocks.opened(self.now)
        self._keep_events()

    @property
    def now(self) -> TicketState:
        return TicketState(self.at, self.status, self.priority, has_response=self.has_response, awaits_reply=self.awaits_reply)

    def walk(self, until: int) -> None:
        """Act on what is due before ``until``; what is due at that instant comes after what people do at it."""
        while (
            not (self.is_down or self.deleted_at)
            and (found := deadlines_of(self._inputs()))
            and max(self.at, found[0].due_at) < instant(until)
        ):
            self.at = max(self.at, found[0].due_at)
            self._act(due(self._woken(found), self.at))
        self.at = instant(until)

    def set_status(self, status: str) -> None:
        """As models.tickets.transitions."""
        self.status, self.snoozed_until = Status(status), None
        if self.status is Status.RESOLVED:
            self.has_response, self.awaits_reply = True, False
            self.clocks.resolved(self.now)
        elif self.status is Status.CLOSED:
            self.clocks.cancelled(self.now, "closed")
        else:
            self.clocks.status_changed(self.now, status)
        self._keep_events()

    def reply(self) -> None:
        self.has_response, self.awaits_reply = True, False
        self.clocks.agent_replied(self.now)
        self._keep_events()

    def reporter_comments(self) -> None:
        self.awaits_reply = True
        self.clocks.reporter_commented(self.now)
        self._keep_events()

    def reopen(self) -> None:
        self.status, self.snoozed_until = Status.OPEN, None
        before = self.clocks.latest(Metric.RESOLUTION)
        self.clocks.reopened(self.now)
        after = self.clocks.latest(Metric.RESOLUTION)
        self.level = 0 if before and after and after.cycle > before.cycle else self.level
        self._keep_events()

    def retime(self, configuration: SlaConfiguration, priority: str) -> None:
        self.priority = Priority(priority)
        self.clocks.retimed(self.now, configuration, "edited")
        self._keep_events()

    def snooze(self, until: int) -> None:
        """As models.tickets.snooze."""
        self.status, self.snoozed_until = Status.ON_HOLD, instant(until)
        self.clocks.status_changed(self.now, "snoozed")
        self._keep_events()

    @property
    def has_overslept(self) -> bool:
        return self.snoozed_until is not None and self.snoozed_until < self.at

    def delete(self) -> None:
        """As models.tickets.deletion."""
        self.deleted_at = self.at
        self.clocks.deleted(self.now)
        self._keep_events()

    def restore(self) -> None:
        assert self.deleted_at
        self.clocks.restored(self.now, self.deleted_at)
        self.deleted_at, self.snoozed_until = None, self.snoozed_until and max(self.snoozed_until, self.at)
        self._keep_events()

    def escalate_by_hand(self, level: int) -> None:
        """As models.sla.escalate."""
        own = sorted(
            self.clocks.configuration.ladder.rungs if self.clocks.configuration.ladder else (),
            key=lambda rung: rung.metric is not Metric.RESOLUTION,
        )
        clock = self.clocks.latest(next(rung.metric for rung in (*own, *DEFAULT_LADDER.rungs) if rung.level == level))
        self.level = level
        if clock and clock.is_live:
            self.escalations.append(Escalation(clock.metric, clock.cycle, level, None, self.at, is_superseded=False))

    def acknowledge(self, level: int | None) -> None:
        """As models.sla.escalate.acknowledge."""
        live = {(clock.metric, clock.cycle): clock for clock in self.clocks.live()}
        taken = [e for e in self.escalations if not e.is_superseded and (e.metric, e.cycle) in live and level in (None, e.level)]
        if taken and self.status in UNFINISHED:
            latest = max(taken, key=lambda e: (e.taken_at, e.level))
            self.clocks.acknowledged(live[latest.metric, latest.cycle])

    def looked_at(self) -> list[tuple[Clock, float]]:
        """Each clock with the seconds used, as a reader sees it now: an overdue clock is breached, also before the breach is recorded."""
        calendar = self.clocks.configuration.calendar
        seen = [settle(clock, self.at) for clock in self.clocks.by_key.values()]
        return [(clock, (used(clock, self.at, calendar) if calendar else clock.spent).total_seconds()) for clock in seen]

    def _inputs(self) -> DeadlineInputs:
        """As models.tickets.aggregate."""
        configuration = self.clocks.configuration
        return DeadlineInputs(
            clocks=tuple(self.clocks.by_key.values()),
            calendar=configuration.calendar,
            ladder=configuration.ladder,
            warn_at_fractions=configuration.policy.warn_at_fractions if configuration.policy else (),
            taken=frozenset((e.metric, e.cycle, e.level) for e in self.escalations),
            instants={"wake": self.snoozed_until} if self.snoozed_until else {},
        )

    def _woken(self, found: tuple[Deadline, ...]) -> tuple[Deadline, ...]:
        """A late wake lets the clocks run from the end of the snooze."""
        until = self.snoozed_until
        if until is None or until > self.at:
            return found
        self.status, self.snoozed_until = Status.OPEN, None
        self.clocks.status_changed(self.now._replace(at=until), "woken")
        self._keep_events(until)
        return deadlines_of(self._inputs())

    def _act(self, found: tuple[Deadline, ...]) -> None:
        """As models.sla.run_due."""
        for deadline in found:
            clock, fraction = self.clocks.by_key[deadline.clock], deadline.fraction or 0.0
            if deadline.kind == WARN:
                self.clocks.warned(clock, fraction)
                self.warnings.append((clock.metric, clock.cycle, fraction, self.at))
            elif deadline.kind == BREACH:
                self.clocks.breached(clock)
        rungs = sorted((d for d in found if d.kind == ESCALATE), key=_level)
        for deadline in rungs:
            is_superseded = deadline is not rungs[-1]
            self.escalations.append(Escalation(*deadline.clock, _level(deadline), deadline.due_at, self.at, is_superseded))
            self.level = max(self.level, _level(deadline))
        self._keep_events()

    def _keep_events(self, at: datetime | None = None) -> None:
        for event in self.clocks.take_events():
            if isinstance(event, Breach):
                self.breaches.append(event.clock)
            else:
                self.ledger.append((at or self.at, event, self.clocks.configuration.calendar))


def _level(deadline: Deadline) -> int:
    return deadline.level or 0
