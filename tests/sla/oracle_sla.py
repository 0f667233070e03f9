"""The oracle of the clocks, written from the contract and sharing no code with `models.sla`: it counts open time second by second (in one
step where no second can differ from the one before) and asks after each what is due. Instants are whole seconds since 1970."""

from tests.sla.oracle_values import Cycle, Cycles, PlainConfiguration, TakenRung

FIRST, NEXT, RESOLUTION = METRICS = ("first_response", "next_response", "resolution")
OVER = ("resolved", "closed")


class OracleSla:
    """What people do at an instant comes before what is due at it. In an outage time passes, and nothing is warned of or escalated."""

    def __init__(self, at: int, configuration: PlainConfiguration, priority: str) -> None:
        self.now, self.configuration, self.priority, self.status = at, configuration, priority, "new"
        self.cycles = Cycles()
        self.rungs: list[TakenRung] = []
        self.warnings: list[tuple[str, int, float, int]] = []
        self.withdrawn: set[str] = set()
        self.is_down = self.has_response = self.awaits_reply = False
        self.wakes_at: int | None = None
        self.begin_due_cycles()

    def walk(self, until: int) -> None:
        while self.now < until:
            if self.wakes_at is not None and self.wakes_at <= self.now:
                self.set_status("open")
            self.look()
            step = min(until, self.wakes_at or until, self.configuration.open_time.until(self.now)) - self.now
            if self.configuration.open_time.is_open(self.now):
                step = min(
                    [
                        step,
                        *(
                            amount - c.used
                            for c in self.cycles.running()
                            for amount in self.configuration.amounts(c.target)
                            if amount > c.used
                        ),
                    ]
                )
                for cycle in self.cycles.running():
                    cycle.used += step
            self.now += step

    def look(self) -> None:
        for cycle in self.cycles.running():
            if cycle.used >= cycle.target and cycle.breached is None:
                cycle.breached = self.now
            for rung in self.configuration.rungs:
                if rung.metric == cycle.metric and cycle.used >= rung.after(cycle.target):
                    cycle.reached.setdefault(rung.level, self.now)
        if not self.is_down:
            self.warn()
            self.escalate()

    def warn(self) -> None:
        for cycle in self.cycles.running():
            for fraction in sorted(self.configuration.fractions):
                if not cycle.breached and fraction > cycle.warned and cycle.used >= round(cycle.target * fraction):
                    cycle.warned = fraction
                    self.warnings.append((cycle.metric, cycle.number, fraction, self.now))

    def escalate(self) -> None:
        """Only the highest due rung is taken; of equal levels the one that is due last, then the last metric by name."""
        reached = sorted(
            (level, at, c.metric, c.number) for c in self.cycles.live() if not c.is_acknowledged for level, at in c.reached.items()
        )
        due = [rung for rung in reached if not any(taken.holds_off(rung[2], rung[3], rung[0]) for taken in self.rungs)]
        for place, (level, at, metric, number) in enumerate(due, 1):
            self.rungs.append(TakenRung(metric, number, level, at, self.now, is_superseded=place < len(due)))

    def set_status(self, status: str) -> None:
        """Resolving ends the wait for a response, too."""
        self.status, self.wakes_at = status, None
        if status == "resolved":
            self.has_response, self.awaits_reply = True, False
            self.end("stopped", RESOLUTION)
        if status in OVER:
            self.end("cancelled", *METRICS)
            self.withdrawn.clear()
        self.run_or_pause()

    def reply(self) -> None:
        self.has_response, self.awaits_reply = True, False
        self.withdrawn -= {FIRST, NEXT}
        self.end("stopped", FIRST, NEXT)

    def reporter_comments(self) -> None:
        self.awaits_reply = True
        self.begin_due_cycles(NEXT)

    def reopen(self) -> None:
        self.status, self.wakes_at = "open", None
        last, target = self.cycles.last(RESOLUTION), self.configuration.target(self.priority, RESOLUTION)
        is_restart = self.configuration.on_reopen == "restart"
        if last is None or last.cancelled or self.configuration.on_reopen == "new_cycle" or (is_restart and last.breached):
            self.begin_due_cycles(RESOLUTION)
        elif target is not None:
            last.stopped, last.due, last.used, last.is_acknowledged = None, None, 0 if is_restart else last.used, False
            self.retarget(last, target)
        self.run_or_pause()

    def retime(self, configuration: PlainConfiguration, priority: str) -> None:
        before, self.configuration, self.priority = self.configuration, configuration, priority
        for cycle in self.cycles.live():
            target = configuration.target(priority, cycle.metric)
            if target is None:
                self.end("cancelled", cycle.metric)
                self.withdrawn.add(cycle.metric)
            elif configuration != before or target != cycle.target:
                self.retarget(cycle, target)
                if cycle.runs:
                    self.start(cycle)
        self.run_or_pause()
        self.begin_due_cycles()

    def retarget(self, cycle: Cycle, target: int) -> None:
        """A warning that is no longer reached can be given again; a rung can become due again."""
        given = [f for f in self.configuration.fractions if f <= cycle.warned and cycle.used >= round(target * f)]
        cycle.target, cycle.warned = target, max(given, default=0)
        still = [r.level for r in self.configuration.rungs if r.metric == cycle.metric and cycle.used >= r.after(target)]
        cycle.reached = {level: at for level, at in cycle.reached.items() if level in still}

    def begin_due_cycles(self, *metrics: str) -> None:
        live = [cycle.metric for cycle in self.cycles.live()]
        is_owed = {FIRST: not self.has_response, NEXT: self.awaits_reply and FIRST not in live, RESOLUTION: True}
        for metric in metrics or METRICS:
            target, last = self.configuration.target(self.priority, metric), self.cycles.last(metric)
            if target is None or not is_owed[metric] or metric in live or self.status in OVER:
                continue
            if last and metric in self.withdrawn:
                last.cancelled, last.due = None, None
                self.retarget(last, target)
            else:
                self.cycles.append(Cycle(metric, last.number + 1 if last else 1, target))
            self.withdrawn.discard(metric)
            is_owed[NEXT] &= metric != FIRST
        self.run_or_pause()

    def run_or_pause(self) -> None:
        for cycle in self.cycles.live():
            runs = self.status not in OVER and self.status not in self.configuration.pause_on[cycle.metric]
            if runs and not cycle.runs:
                self.start(cycle)
            elif cycle.runs and not runs:
                cycle.runs, cycle.due = False, None

    def start(self, cycle: Cycle) -> None:
        cycle.runs, cycle.started = True, cycle.started or self.now
        cycle.due = self.configuration.open_time.due(self.now, max(cycle.target - cycle.used, 0))

    def end(self, how: str, *metrics: str) -> None:
        for cycle in [cycle for cycle in self.cycles.live() if cycle.metric in metrics]:
            cycle.runs, cycle.reached = False, {}
            setattr(cycle, how, self.now)
