"""The oracle of the rarer things that happen to a ticket: snooze, deletion, restoration, manual escalation, acknowledgement."""

from tests.sla.oracle_sla import RESOLUTION, OracleSla
from tests.sla.oracle_values import Cycle, TakenRung


class OracleTicket(OracleSla):
    deleted: list[Cycle]
    was_to_wake_at: int | None

    def snooze(self, until: int) -> None:
        self.set_status("on_hold")
        self.wakes_at = until

    def delete(self) -> None:
        self.deleted, self.was_to_wake_at, self.wakes_at = self.cycles.live(), self.wakes_at, None
        for cycle in self.deleted:
            cycle.runs, cycle.cancelled = False, self.now

    def restore(self) -> None:
        for cycle in self.deleted:
            cycle.cancelled = cycle.due = None
        self.wakes_at = self.was_to_wake_at and max(self.was_to_wake_at, self.now)
        self.run_or_pause()

    def escalate_by_hand(self, level: int) -> None:
        """Take the ladder's rung of that level (the resolution's first, else the default ladder's); it counts while its clock is live."""
        metrics = [rung.metric for rung in self.configuration.rungs if rung.level == level]
        last = self.cycles.last(RESOLUTION if RESOLUTION in metrics else next(iter(metrics), RESOLUTION))
        if last and last in self.cycles.live():
            self.rungs.append(TakenRung(last.metric, last.number, level, None, self.now, is_superseded=False))

    def acknowledge(self, level: int | None = None) -> None:
        """Acknowledge the latest rung whose clock is live, or the one of that level: no later rung of that cycle is taken."""
        live = {(cycle.metric, cycle.number): cycle for cycle in self.cycles.live()}
        taken = [r for r in self.rungs if not r.is_superseded and (r.metric, r.cycle) in live and level in (None, r.level)]
        for rung in sorted(taken, key=lambda r: (r.at, r.level))[-1:]:
            live[rung.metric, rung.cycle].is_acknowledged = True
