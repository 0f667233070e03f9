"""One history on the driver (the code under test) and on the oracle, compared after every step."""

from collections.abc import Iterator
from typing import Any

from models.sla.clock import Clock
from models.sla.clocks import LedgerKind
from models.sla.policy import Metric
from models.tickets.lifecycle import REOPENED_BY_REPORTER, TARGET, UNFINISHED, Status, Transition, is_allowed, may_snooze
from tests.sla.driver_sla import DriverSla
from tests.sla.oracle_ticket import OracleTicket
from tests.sla.sla_histories import DAY, PRIORITIES, WINDOWS, History, Step, configuration, instant, open_time_of, plain_configuration

AFTERWARDS = 10 * DAY
ENDING = {"outage": ("down", "up"), "delete": ("delete", "restore")}


class Disagreement(AssertionError):
    """What the code under test says, then what the oracle says."""


def prove(history: History) -> set[str]:
    """Play the history; return the clock statuses, ledger kinds and rung outcomes that occurred in it."""
    play = Play(history)
    play.play()
    rungs = {"superseded" if rung.is_superseded else "taken" for rung in play.oracle.rungs}
    return rungs | play.statuses | {turn.kind.value for _, turn, _ in play.driver.ledger}


class Play:
    def __init__(self, history: History) -> None:
        self.history, self.version = history, 0
        opened = int(WINDOWS[history.window].timestamp()) + history.opened_after
        self.configuration = [configuration(version) for version in history.versions]
        self.plain = [plain_configuration(v, open_time_of(v.calendar, WINDOWS[history.window])) for v in history.versions]
        self.driver = DriverSla(opened, self.configuration[0], PRIORITIES[history.priority])
        self.oracle = OracleTicket(opened, self.plain[0], PRIORITIES[history.priority])
        self.opened = opened
        self.statuses: set[str] = set()

    def play(self) -> None:
        self.compare("opened")
        for at, step in timeline(self.opened, self.history.steps):
            self.driver.walk(at)
            self.oracle.walk(at)
            self.do(step)
            if not self.driver.has_overslept:  # it acts on the end of the snooze only when the outage is over
                self.compare(step)
        ledger_sums_up(self)

    def do(self, step: Step) -> None:
        """Do the same on both."""
        status, kind = self.driver.status, step.kind
        if kind in ("down", "up"):
            self.driver.is_down = self.oracle.is_down = kind == "down"
        elif self.driver.has_overslept or (self.driver.deleted_at is None) is (kind == "restore"):
            return  # a deleted ticket accepts nothing but a restoration, and nobody acts before an overdue wake
        elif kind in ("delete", "restore"):
            self.both(kind)
        elif kind in ("acknowledge", "escalate", "snooze"):
            self.on_purpose(step, status)
        elif status is not Status.CLOSED:
            self.on_an_open_ticket(step, status)

    def on_purpose(self, step: Step, status: Status) -> None:
        level = step.which % 4
        if step.kind == "acknowledge" and status in UNFINISHED:
            self.both("acknowledge", level or None)
        if step.kind == "escalate" and status in UNFINISHED and level > self.driver.level:
            self.both("escalate_by_hand", level)
        if step.kind == "snooze" and may_snooze(status):
            self.both("snooze", self.oracle.now + step.which)

    def on_an_open_ticket(self, step: Step, status: Status) -> None:
        if step.kind == "reply":
            self.both("reply")
        if step.kind in ("reply", "assign") and status is Status.NEW:
            self.both("set_status", "open")
        if step.kind == "comment":
            if status in REOPENED_BY_REPORTER:
                self.transition(Transition.REOPEN if status is Status.RESOLVED else Transition.RESUME)
            self.both("reporter_comments")
        if step.kind == "transition":
            possible = [each for each in Transition if each is not Transition.CLOSE and is_allowed(each, status)]
            self.transition(possible[step.which % len(possible)])
        if step.kind in set(Transition):
            self.transition(Transition(step.kind))
        if step.kind in ("priority", "configuration"):
            self.edit(step)

    def transition(self, wanted: Transition) -> None:
        if wanted is Transition.REOPEN:
            self.both("reopen")
        else:
            self.both("set_status", TARGET[wanted].value)

    def edit(self, step: Step) -> None:
        self.version = step.which % 4 if step.kind == "configuration" else self.version
        priority = PRIORITIES[step.which % 4] if step.kind == "priority" else self.driver.priority
        self.driver.retime(self.configuration[self.version], priority)
        self.oracle.retime(self.plain[self.version], priority)

    def both(self, verb: str, *args: Any) -> None:
        getattr(self.driver, verb)(*args)
        getattr(self.oracle, verb)(*args)

    def compare(self, step: object) -> None:
        end = self.plain[0].open_time.end
        self.statuses |= {cycle.status for cycle in self.oracle.cycles}
        for seen, expected in zip(of_driver(self.driver, end), of_oracle(self.oracle), strict=True):
            if seen != expected:
                raise Disagreement(f"{instant(self.oracle.now)} after {step}:\n  {seen}\n  {expected}")


def timeline(at: int, steps: tuple[Step, ...]) -> Iterator[tuple[int, Step]]:
    """The steps with their instants; an outage and a deletion begin and end; a few quiet days follow."""
    timed: list[tuple[int, Step]] = []
    for step in steps:
        at += step.after
        if step.kind in ENDING:
            begin, end = ENDING[step.kind]
            timed += [(at, Step(0, begin)), (at + step.which, Step(0, end))]
        else:
            timed.append((at, step))
    timed.sort(key=lambda pair: pair[0])
    yield from timed
    yield timed[-1][0], Step(0, "up")
    yield timed[-1][0] + AFTERWARDS, Step(0, "wait")


def of_driver(driver: DriverSla, end: int) -> Iterator[list[Any]]:
    """Clocks, rungs and warnings in plain numbers. What is due after the end of the oracle's table is not compared."""
    yield sorted(
        (*_counted(c, spent, end), *map(seconds, (c.started_at, c.breached_at, c.stopped_at, c.cancelled_at)))
        for c, spent in driver.looked_at()
    )
    yield sorted((e.metric.value, e.cycle, e.level, seconds(e.due_at), seconds(e.taken_at), e.is_superseded) for e in driver.escalations)
    yield sorted((metric.value, cycle, fraction, seconds(at)) for metric, cycle, fraction, at in driver.warnings)


def _counted(clock: Clock, spent: float, end: int) -> tuple[Any, ...]:
    due = seconds(clock.due_at)
    return clock.metric.value, clock.cycle, clock.status.value, spent, clock.target.total_seconds(), due if due and due <= end else None


def of_oracle(oracle: OracleTicket) -> Iterator[list[Any]]:
    yield sorted(
        (c.metric, c.number, c.status, c.used, c.target, c.due, c.started, c.breached, c.stopped, c.cancelled) for c in oracle.cycles
    )
    yield sorted((r.metric, r.cycle, r.level, r.due, r.at, r.is_superseded) for r in oracle.rungs)
    yield sorted(oracle.warnings)


def ledger_sums_up(play: Play) -> None:
    """Between two ledger rows a running clock uses the open time and a paused one nothing; the last row leads to what is used now."""
    for clock, used in play.driver.looked_at():
        rows = [(at, turn, calendar) for at, turn, calendar in play.driver.ledger if _of(turn.clock) == _of(clock)]
        assert (rows[0][1].clock.spent.total_seconds() if rows else used) == 0
        ends = [(at, turn.clock.spent.total_seconds(), turn.kind) for at, turn, _ in rows[1:]] + [(play.driver.at, used, None)] * bool(rows)
        for (at, turn, calendar), (until, spent, kind) in zip(rows, ends, strict=True):
            ran = open_seconds(play, calendar, at, until) if turn.clock.is_running else 0
            expected = 0 if kind is LedgerKind.RESTARTED else turn.clock.spent.total_seconds() + ran
            if spent != expected:
                raise Disagreement(f"{_of(clock)} from {turn.kind} at {at} to {kind} at {until}: {spent} s were used, not {expected}")
    assert len({_of(clock) for clock in play.driver.breaches}) == len(play.driver.breaches), "a breach is recorded once"


def open_seconds(play: Play, calendar: object, start: Any, end: Any) -> int:
    name = next(v.calendar for v, r in zip(play.history.versions, play.configuration, strict=True) if r.calendar is calendar)
    return open_time_of(name, WINDOWS[play.history.window]).seconds(seconds(start) or 0, seconds(end) or 0)


def seconds(at: Any) -> int | None:
    if at is None:
        return None
    assert at.microsecond == 0
    return int(at.timestamp())


def _of(clock: Clock) -> tuple[Metric, int]:
    return clock.metric, clock.cycle
