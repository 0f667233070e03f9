"""The engine's pure core, driven as the operations and the ticket's workflow drive it: every deadline at its own instant."""

from dataclasses import dataclass
from datetime import datetime

from models.sla.calendar import Calendar
from models.sla.clock import Clock, settle, used
from models.sla.clocks import Breach, Clocks, Standing, Turn
from models.sla.deadlines import Deadline, DeadlineKind, Promises, deadlines_of, due
from models.sla.ladder import DEFAULT_LADDER
from models.sla.policy import Metric
from models.sla.rules import Rules
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


class PureSla:
    """The deeds of :class:`tests.sla.naive_sla.NaiveSla`, done by the engine."""

    def __init__(self, at: int, rules: Rules, priority: str) -> None:
        self.at, self.status, self.priority = instant(at), Status.NEW, Priority(priority)
        self.is_down = self.is_answered = self.is_asked = False
        self.level = 0
        self.snoozed_until: datetime | None = None
        self.deleted_at: datetime | None = None
        self.clocks = Clocks((), rules)
        self.escalations: list[Escalation] = []
        self.warnings: list[tuple[Metric, int, float, datetime]] = []
        self.ledger: list[tuple[datetime, Turn, Calendar | None]] = []
        self.breaches: list[Clock] = []
        self.clocks.opened(self.now)
        self._keep_notes()

    @property
    def now(self) -> Standing:
        return Standing(self.at, self.status, self.priority, is_answered=self.is_answered, is_asked=self.is_asked)

    def walk(self, until: int) -> None:
        """What is due before ``until`` is acted on; what is due at it comes after what happens at it."""
        while (
            not (self.is_down or self.deleted_at)
            and (found := deadlines_of(self._promises()))
            and max(self.at, found[0].due_at) < instant(until)
        ):
            self.at = max(self.at, found[0].due_at)
            self._act(due(self._woken(found), self.at))
        self.at = instant(until)

    def enter(self, status: str) -> None:
        """As models.tickets.transitions."""
        self.status, self.snoozed_until = Status(status), None
        if self.status is Status.RESOLVED:
            self.is_answered, self.is_asked = True, False
            self.clocks.resolved(self.now)
        elif self.status is Status.CLOSED:
            self.clocks.cancelled(self.now, "closed")
        else:
            self.clocks.followed(self.now, status)
        self._keep_notes()

    def answer(self) -> None:
        self.is_answered, self.is_asked = True, False
        self.clocks.answered(self.now)
        self._keep_notes()

    def ask(self) -> None:
        self.is_asked = True
        self.clocks.asked(self.now)
        self._keep_notes()

    def reopen(self) -> None:
        self.status, self.snoozed_until = Status.OPEN, None
        before = self.clocks.latest(Metric.RESOLUTION)
        self.clocks.reopened(self.now)
        after = self.clocks.latest(Metric.RESOLUTION)
        self.level = 0 if before and after and after.cycle > before.cycle else self.level
        self._keep_notes()

    def retime(self, rules: Rules, priority: str) -> None:
        self.priority = Priority(priority)
        self.clocks.retimed(self.now, rules, "edited")
        self._keep_notes()

    def snooze(self, until: int) -> None:
        """As models.tickets.snooze."""
        self.status, self.snoozed_until = Status.ON_HOLD, instant(until)
        self.clocks.followed(self.now, "snoozed")
        self._keep_notes()

    @property
    def has_overslept(self) -> bool:
        return self.snoozed_until is not None and self.snoozed_until < self.at

    def delete(self) -> None:
        """As models.tickets.deletion."""
        self.deleted_at = self.at
        self.clocks.deleted(self.now)
        self._keep_notes()

    def restore(self) -> None:
        assert self.deleted_at
        self.clocks.restored(self.now, self.deleted_at)
        self.deleted_at, self.snoozed_until = None, self.snoozed_until and max(self.snoozed_until, self.at)
        self._keep_notes()

    def escalate_by_hand(self, level: int) -> None:
        """As models.sla.escalate."""
        own = sorted(
            self.clocks.rules.ladder.rungs if self.clocks.rules.ladder else (), key=lambda rung: rung.metric is not Metric.RESOLUTION
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
        """Each clock with the seconds used, as one sees it who looks now: a breach that nobody acted on yet is one."""
        calendar = self.clocks.rules.calendar
        seen = [settle(clock, self.at) for clock in self.clocks.by_key.values()]
        return [(clock, (used(clock, self.at, calendar) if calendar else clock.spent).total_seconds()) for clock in seen]

    def _promises(self) -> Promises:
        """As models.tickets.aggregate."""
        rules = self.clocks.rules
        return Promises(
            clocks=tuple(self.clocks.by_key.values()),
            calendar=rules.calendar,
            ladder=rules.ladder,
            warn_at_fractions=rules.policy.warn_at_fractions if rules.policy else (),
            taken=frozenset((e.metric, e.cycle, e.level) for e in self.escalations),
            survey_at=None,
            auto_close_at=None,
            snoozed_until=self.snoozed_until,
        )

    def _woken(self, found: tuple[Deadline, ...]) -> tuple[Deadline, ...]:
        """Its clocks go on from the instant that was named, however late it is."""
        until = self.snoozed_until
        if until is None or until > self.at:
            return found
        self.status, self.snoozed_until = Status.OPEN, None
        self.clocks.followed(self.now._replace(at=until), "woken")
        self._keep_notes(until)
        return deadlines_of(self._promises())

    def _act(self, found: tuple[Deadline, ...]) -> None:
        """As models.sla.run_due."""
        for deadline in found:
            metric, cycle, *more = deadline.key.split("/")
            clock = self.clocks.by_key[Metric(metric), int(cycle)]
            if deadline.kind is DeadlineKind.WARN:
                self.clocks.warned(clock, float(more[0]))
                self.warnings.append((clock.metric, clock.cycle, float(more[0]), self.at))
            elif deadline.kind is DeadlineKind.BREACH:
                self.clocks.breached(clock)
        rungs = sorted((d for d in found if d.kind is DeadlineKind.ESCALATE), key=_level)
        for deadline in rungs:
            metric, cycle, level = deadline.key.split("/")
            is_superseded = deadline is not rungs[-1]
            self.escalations.append(Escalation(Metric(metric), int(cycle), int(level), deadline.due_at, self.at, is_superseded))
            self.level = max(self.level, int(level))
        self._keep_notes()

    def _keep_notes(self, at: datetime | None = None) -> None:
        for note in self.clocks.take_notes():
            if isinstance(note, Breach):
                self.breaches.append(note.clock)
            else:
                self.ledger.append((at or self.at, note, self.clocks.rules.calendar))


def _level(deadline: Deadline) -> int:
    return int(deadline.key.split("/")[2])
