"""All clocks of one ticket, changed together by what happens to it. What is to be written comes out as events, in order."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from models.sla import clock as one
from models.sla.clock import Clock, TargetPlan
from models.sla.pinned import SlaConfiguration
from models.sla.policy import Metric, OnReopen
from models.tickets.lifecycle import UNFINISHED, Priority, Status


class LedgerKind(StrEnum):
    """What happened to a clock, as a row of the ledger says it."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    RETIMED = "retimed"
    RESTARTED = "restarted"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


class ClockChange(NamedTuple):
    """A row for the ledger: the clock after the change."""

    clock: Clock
    kind: LedgerKind
    reason: str


class Breach(NamedTuple):
    """A row for the audit: ``clock.breached_at`` was recorded just now."""

    clock: Clock


ClockEvent = ClockChange | Breach


class TicketState(NamedTuple):
    """The fields of the ticket on which its clocks depend, as of ``at``.

    ``has_response``: the first response was given, or is no longer owed.
    ``awaits_reply``: a comment of the reporter waits for a public reply.
    """

    at: datetime
    status: Status
    priority: Priority
    has_response: bool = False
    awaits_reply: bool = False


class Clocks:
    """``by_key`` holds every cycle of every metric, as frozen clocks that are replaced whole."""

    def __init__(self, clocks: Iterable[Clock], configuration: SlaConfiguration) -> None:
        self.by_key = {(clock.metric, clock.cycle): clock for clock in clocks}
        self.configuration = configuration
        self._events: list[ClockEvent] = []

    def latest(self, metric: Metric) -> Clock | None:
        """The clock of the newest cycle."""
        return max((clock for clock in self.by_key.values() if clock.metric is metric), key=lambda clock: clock.cycle, default=None)

    def live(self) -> list[Clock]:
        return [clock for clock in self.by_key.values() if clock.is_live]

    def take_events(self) -> list[ClockEvent]:
        """The events since the last call."""
        taken, self._events = self._events, []
        return taken

    def opened(self, now: TicketState) -> None:
        """A new ticket: a clock for each metric with a target. One that the status pauses is pending."""
        for metric in (Metric.FIRST_RESPONSE, Metric.RESOLUTION):
            self._add(now, metric, "opened")

    def agent_replied(self, now: TicketState) -> None:
        """A public reply of an agent meets the first response, and later each next response."""
        for metric in (Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE):
            self._turn_live(now, metric, one.stop, LedgerKind.STOPPED, "public reply")
            self._end_withdrawal(metric)

    def reporter_commented(self, now: TicketState) -> None:
        """A comment of the reporter: the next response runs from the oldest comment without a reply."""
        waiting = [clock for clock in self.live() if clock.metric is not Metric.RESOLUTION]
        if not waiting:
            self._add(now, Metric.NEXT_RESPONSE, "reporter's message")

    def status_changed(self, now: TicketState, reason: str) -> None:
        """The ticket's status changed: each live clock runs or is paused, as the policy says."""
        for clock in self.live():
            if self._runs_in(clock.metric, now.status):
                self._turn(now, clock, one.start, LedgerKind.RESUMED if clock.started_at else LedgerKind.STARTED, reason)
            else:
                self._turn(now, clock, one.pause, LedgerKind.PAUSED, reason)

    def resolved(self, now: TicketState) -> None:
        self._turn_live(now, Metric.RESOLUTION, one.stop, LedgerKind.STOPPED, "resolved")
        self.cancelled(now, "resolved")

    def cancelled(self, now: TicketState, reason: str) -> None:
        """No metric applies any more: cancel every live clock."""
        for metric in Metric:
            self._turn_live(now, metric, one.cancel, LedgerKind.CANCELLED, reason)
            self._end_withdrawal(metric)

    def reopened(self, now: TicketState) -> None:
        """Continue the clock, restart it, or begin a new cycle, as the policy says; with the target that holds now."""
        policy, clock, target = self.configuration.policy, self.latest(Metric.RESOLUTION), self._target(now, Metric.RESOLUTION)
        if policy is None or target is None or (clock is not None and clock.is_live):
            return
        is_over = policy.on_reopen is OnReopen.RESTART and clock is not None and clock.breached_at  # a breach is never taken back
        if clock is None or clock.cancelled_at or policy.on_reopen is OnReopen.NEW_CYCLE or is_over:
            self._add(now, Metric.RESOLUTION, "reopened")
        else:
            self._revive(now, clock, target, policy.on_reopen)
        self.status_changed(now, "reopened")

    def deleted(self, now: TicketState) -> None:
        """Nothing is due on a deleted ticket. A clock that was withdrawn stays withdrawn: it may get a target again once restored."""
        for metric in Metric:
            self._turn_live(now, metric, one.cancel, LedgerKind.CANCELLED, "deleted")

    def restored(self, now: TicketState, deleted_at: datetime) -> None:
        """Undo a deletion: the clocks that it cancelled, and no others, are live again, and run if the status allows."""
        for clock in [clock for metric in Metric if (clock := self.latest(metric)) and _ended_with(clock, deleted_at)]:
            kept = self._put(one.restore(clock))
            if kept.started_at and not self._runs_in(kept.metric, now.status):
                self._events.append(ClockChange(kept, LedgerKind.PAUSED, "restored"))
        self.status_changed(now, "restored")

    def retimed(self, now: TicketState, configuration: SlaConfiguration, reason: str) -> None:
        """Another SLA configuration or priority from now on: what was spent stays spent, a recorded breach stays recorded.

        A metric that loses its target is withdrawn; one that gets a target starts now, or continues if it was withdrawn.
        """
        for clock in self.live():
            target = None if configuration.policy is None else configuration.policy.target(now.priority, clock.metric)
            if target is None:
                self._turn(now, clock, one.cancel, LedgerKind.CANCELLED, reason)
                self._put(self.by_key[clock.metric, clock.cycle].model_copy(update={"is_withdrawn": True}))
            elif configuration != self.configuration or target != clock.target:
                self._retime(now, clock, target, configuration, reason)
        self.configuration = configuration
        self.status_changed(now, reason)
        self._complete(now, reason)

    def warned(self, clock: Clock, fraction: float) -> None:
        self._put(one.warn(clock, fraction))

    def acknowledged(self, clock: Clock) -> None:
        self._put(one.acknowledge(clock))

    def breached(self, clock: Clock) -> Clock:
        """Record a breach, once, with the instant at which it became true."""
        return self._record_breach(clock, one.breach(clock))

    def _complete(self, now: TicketState, reason: str) -> None:
        """Start a clock for each metric that has a target and no live clock, or let it continue with what it had spent."""
        is_owed = {Metric.FIRST_RESPONSE: not now.has_response, Metric.NEXT_RESPONSE: now.awaits_reply, Metric.RESOLUTION: True}
        for metric in Metric if now.status in UNFINISHED else ():
            clock = self.latest(metric)
            if not is_owed[metric] or (clock and clock.is_live) or self._is_covered(metric):
                continue
            if clock and clock.is_withdrawn:
                self._renew(now, clock, reason)
            else:
                self._add(now, metric, reason)

    def _renew(self, now: TicketState, withdrawn: Clock, reason: str) -> None:
        target = self._target(now, withdrawn.metric)
        if target is None:
            return
        clock = self._put(one.retarget(one.revive(withdrawn, now.at), plan(self.configuration, withdrawn.metric, target)))
        if self._runs_in(clock.metric, now.status):
            self._turn(now, clock, one.start, LedgerKind.RESUMED if clock.started_at else LedgerKind.STARTED, reason)
        elif clock.started_at:
            self._events.append(ClockChange(clock, LedgerKind.PAUSED, reason))

    def _end_withdrawal(self, metric: Metric) -> None:
        """The cycle is over, met or not: a later target begins a new one."""
        clock = self.latest(metric)
        if clock is not None and clock.is_withdrawn:
            self._put(clock.model_copy(update={"is_withdrawn": False}))

    def _is_covered(self, metric: Metric) -> bool:
        """While the first response is owed, it stands for the next one, too."""
        first = self.latest(Metric.FIRST_RESPONSE)
        return metric is Metric.NEXT_RESPONSE and first is not None and first.is_live

    def _add(self, now: TicketState, metric: Metric, reason: str) -> None:
        target, latest = self._target(now, metric), self.latest(metric)
        if target is None:
            return
        clock = self._put(Clock(metric=metric, cycle=latest.cycle + 1 if latest else 1, target=target))
        if self._runs_in(metric, now.status):
            self._turn(now, clock, one.start, LedgerKind.STARTED, reason)

    def _retime(self, now: TicketState, clock: Clock, target: timedelta, configuration: SlaConfiguration, reason: str) -> None:
        assert self.configuration.calendar and configuration.calendar  # noqa: S101 PT018 - a clock and a target imply a calendar
        settled, retarget = self._settled(now, clock), plan(configuration, clock.metric, target)
        turned = one.retime(settled, now.at, retarget, was=self.configuration.calendar, calendar=configuration.calendar)
        self._events.append(ClockChange(self._put(turned), LedgerKind.RETIMED, reason))

    def _revive(self, now: TicketState, stopped: Clock, target: timedelta, how: OnReopen) -> None:
        """An acknowledgement from before the resolution no longer holds."""
        is_restart, runs = how is OnReopen.RESTART, self._runs_in(stopped.metric, now.status)
        revived = (one.restart if is_restart else one.revive)(stopped, now.at)
        clock = one.retarget(revived, plan(self.configuration, stopped.metric, target)).model_copy(update={"is_acknowledged": False})
        if runs and self.configuration.calendar:
            clock = one.start(clock, now.at, self.configuration.calendar)
        kind = LedgerKind.RESTARTED if is_restart else LedgerKind.RESUMED if runs else LedgerKind.PAUSED
        self._events.append(ClockChange(self._put(clock), kind, "reopened"))

    def _turn_live(self, now: TicketState, metric: Metric, change: Callable[..., Clock], kind: LedgerKind, reason: str) -> None:
        clock = self.latest(metric)
        if clock is not None and clock.is_live:
            self._turn(now, clock, change, kind, reason)

    def _turn(self, now: TicketState, clock: Clock, change: Callable[..., Clock], kind: LedgerKind, reason: str) -> None:
        """Change one clock. What was overdue before is recorded first: a late pause or reply takes no breach back."""
        settled = self._settled(now, clock)
        turned = change(settled, now.at, self.configuration.calendar)
        if turned != settled:
            self._put(turned)
            self._events.append(ClockChange(turned, kind, reason))

    def _settled(self, now: TicketState, clock: Clock) -> Clock:
        settled = self._record_breach(clock, one.settle(clock, now.at))
        if self.configuration.calendar is None:
            return settled
        return one.reach(settled, now.at, plan(self.configuration, clock.metric, clock.target).rungs, self.configuration.calendar)

    def _record_breach(self, before: Clock, after: Clock) -> Clock:
        if after.breached_at and not before.breached_at:
            self._put(after)
            self._events.append(Breach(after))
        return after

    def _runs_in(self, metric: Metric, status: Status) -> bool:
        return (
            self.configuration.policy is not None and status in UNFINISHED and status not in self.configuration.policy.pause_on.of(metric)
        )

    def _target(self, now: TicketState, metric: Metric) -> timedelta | None:
        return None if self.configuration.policy is None else self.configuration.policy.target(now.priority, metric)

    def _put(self, clock: Clock) -> Clock:
        self.by_key[clock.metric, clock.cycle] = clock
        return clock


def _ended_with(clock: Clock, deleted_at: datetime) -> bool:
    return clock.cancelled_at == deleted_at and not clock.is_withdrawn


def plan(configuration: SlaConfiguration, metric: Metric, target: timedelta) -> TargetPlan:
    rungs = {rung.level: rung.after(target) for rung in configuration.rungs if rung.metric is metric}
    return TargetPlan(target, configuration.warn_at_fractions, rungs)
