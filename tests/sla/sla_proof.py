"""One history on the engine and on the naive model, compared after everything that happens."""

from collections.abc import Iterator
from typing import Any

from models.sla.clock import Clock
from models.sla.clocks import Kind
from models.sla.policy import Metric
from models.tickets.lifecycle import REOPENED_BY_REPORTER, TARGET, UNFINISHED, Status, Transition, is_allowed, may_snooze
from tests.sla.naive_ticket import NaiveTicket
from tests.sla.pure_sla import PureSla
from tests.sla.sla_histories import DAY, PRIORITIES, WINDOWS, Deed, History, configuration, instant, open_time_of, plain_configuration

AFTERWARDS = 10 * DAY
ENDING = {"outage": ("down", "up"), "delete": ("delete", "restore")}


class Disagreement(AssertionError):
    """The engine's view, then the naive model's."""


def prove(history: History) -> set[str]:
    """Play it; what of all that can become of a clock was met."""
    play = Play(history)
    play.play()
    rungs = {"superseded" if rung.is_superseded else "taken" for rung in play.naive.rungs}
    return rungs | play.statuses | {turn.kind.value for _, turn, _ in play.engine.ledger}


class Play:
    def __init__(self, history: History) -> None:
        self.history, self.version = history, 0
        opened = int(WINDOWS[history.window].timestamp()) + history.opened_after
        self.configuration = [configuration(version) for version in history.versions]
        self.plain = [plain_configuration(v, open_time_of(v.calendar, WINDOWS[history.window])) for v in history.versions]
        self.engine = PureSla(opened, self.configuration[0], PRIORITIES[history.priority])
        self.naive = NaiveTicket(opened, self.plain[0], PRIORITIES[history.priority])
        self.opened = opened
        self.statuses: set[str] = set()

    def play(self) -> None:
        self.compare("opened")
        for at, deed in timeline(self.opened, self.history.deeds):
            self.engine.walk(at)
            self.naive.walk(at)
            self.do(deed)
            if not self.engine.has_overslept:  # it would see later what has become of it meanwhile
                self.compare(deed)
        ledger_sums_up(self)

    def do(self, deed: Deed) -> None:
        """What people do; the same deeds on both."""
        status, kind = self.engine.status, deed.kind
        if kind in ("down", "up"):
            self.engine.is_down = self.naive.is_down = kind == "down"
        elif self.engine.has_overslept or (self.engine.deleted_at is None) is (kind == "restore"):
            return  # nobody can reach it, or is to come before the engine
        elif kind in ("delete", "restore"):
            self.both(kind)
        elif kind in ("acknowledge", "escalate", "snooze"):
            self.on_purpose(deed, status)
        elif status is not Status.CLOSED:
            self.on_an_open_ticket(deed, status)

    def on_purpose(self, deed: Deed, status: Status) -> None:
        level = deed.which % 4
        if deed.kind == "acknowledge" and status in UNFINISHED:
            self.both("acknowledge", level or None)
        if deed.kind == "escalate" and status in UNFINISHED and level > self.engine.level:
            self.both("escalate_by_hand", level)
        if deed.kind == "snooze" and may_snooze(status):
            self.both("snooze", self.naive.now + deed.which)

    def on_an_open_ticket(self, deed: Deed, status: Status) -> None:
        if deed.kind == "reply":
            self.both("reply")
        if deed.kind in ("reply", "assign") and status is Status.NEW:
            self.both("set_status", "open")
        if deed.kind == "message":
            if status in REOPENED_BY_REPORTER:
                self.move(Transition.REOPEN if status is Status.RESOLVED else Transition.RESUME)
            self.both("reporter_comments")
        if deed.kind == "move":
            possible = [move for move in Transition if move is not Transition.CLOSE and is_allowed(move, status)]
            self.move(possible[deed.which % len(possible)])
        if deed.kind in set(Transition):
            self.move(Transition(deed.kind))
        if deed.kind in ("priority", "rules"):
            self.edit(deed)

    def move(self, move: Transition) -> None:
        if move is Transition.REOPEN:
            self.both("reopen")
        else:
            self.both("set_status", TARGET[move].value)

    def edit(self, deed: Deed) -> None:
        self.version = deed.which % 4 if deed.kind == "rules" else self.version
        priority = PRIORITIES[deed.which % 4] if deed.kind == "priority" else self.engine.priority
        self.engine.retime(self.configuration[self.version], priority)
        self.naive.retime(self.plain[self.version], priority)

    def both(self, verb: str, *args: Any) -> None:
        getattr(self.engine, verb)(*args)
        getattr(self.naive, verb)(*args)

    def compare(self, deed: object) -> None:
        end = self.plain[0].open_time.end
        self.statuses |= {cycle.status for cycle in self.naive.cycles}
        for seen, expected in zip(of_engine(self.engine, end), of_naive(self.naive), strict=True):
            if seen != expected:
                raise Disagreement(f"{instant(self.naive.now)} after {deed}:\n  {seen}\n  {expected}")


def timeline(at: int, deeds: tuple[Deed, ...]) -> Iterator[tuple[int, Deed]]:
    """The deeds with their instants; an outage and a deletion begin and end; at last a few days without a deed."""
    steps: list[tuple[int, Deed]] = []
    for deed in deeds:
        at += deed.after
        if deed.kind in ENDING:
            begin, end = ENDING[deed.kind]
            steps += [(at, Deed(0, begin)), (at + deed.which, Deed(0, end))]
        else:
            steps.append((at, deed))
    steps.sort(key=lambda step: step[0])
    yield from steps
    yield steps[-1][0], Deed(0, "up")
    yield steps[-1][0] + AFTERWARDS, Deed(0, "wait")


def of_engine(engine: PureSla, end: int) -> Iterator[list[Any]]:
    """Clocks, rungs and warnings, in plain numbers; what is due after the end of the table is not compared."""
    yield sorted(
        (*_counted(c, spent, end), *map(seconds, (c.started_at, c.breached_at, c.stopped_at, c.cancelled_at)))
        for c, spent in engine.looked_at()
    )
    yield sorted((e.metric.value, e.cycle, e.level, seconds(e.due_at), seconds(e.taken_at), e.is_superseded) for e in engine.escalations)
    yield sorted((metric.value, cycle, fraction, seconds(at)) for metric, cycle, fraction, at in engine.warnings)


def _counted(clock: Clock, spent: float, end: int) -> tuple[Any, ...]:
    due = seconds(clock.due_at)
    return clock.metric.value, clock.cycle, clock.status.value, spent, clock.target.total_seconds(), due if due and due <= end else None


def of_naive(naive: NaiveTicket) -> Iterator[list[Any]]:
    yield sorted(
        (c.metric, c.number, c.status, c.used, c.target, c.due, c.started, c.breached, c.stopped, c.cancelled) for c in naive.cycles
    )
    yield sorted((r.metric, r.cycle, r.level, r.due, r.at, r.is_superseded) for r in naive.rungs)
    yield sorted(naive.warnings)


def ledger_sums_up(play: Play) -> None:
    """Between two rows of a clock lies the open time of what ran, nothing of what stood still; the last leads to what is used now."""
    for clock, used in play.engine.looked_at():
        rows = [(at, turn, calendar) for at, turn, calendar in play.engine.ledger if _of(turn.clock) == _of(clock)]
        assert (rows[0][1].clock.spent.total_seconds() if rows else used) == 0
        ends = [(at, turn.clock.spent.total_seconds(), turn.kind) for at, turn, _ in rows[1:]] + [(play.engine.at, used, None)] * bool(rows)
        for (at, turn, calendar), (until, spent, kind) in zip(rows, ends, strict=True):
            ran = open_seconds(play, calendar, at, until) if turn.clock.is_running else 0
            expected = 0 if kind is Kind.RESTARTED else turn.clock.spent.total_seconds() + ran
            if spent != expected:
                raise Disagreement(f"{_of(clock)} from {turn.kind} at {at} to {kind} at {until}: {spent} are not {expected}")
    assert len({_of(clock) for clock in play.engine.breaches}) == len(play.engine.breaches), "a breach is recorded once"


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
