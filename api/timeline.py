"""The ledger of a ticket's clocks, read as segments of time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from api.views import SegmentView
from models.policy.calendar import Calendar, elapsed
from models.tables.sla import LedgerEntry


def segments(entries: Sequence[LedgerEntry], calendar: Calendar | None, now: datetime) -> list[SegmentView]:
    """Between two entries of a clock lies a segment, in which it ran or stood still; the last one of a live clock reaches to ``now``."""
    ordered = sorted(entries, key=lambda entry: (entry.metric, entry.cycle, entry.at, entry.id))
    clocks = [list(clock) for _, clock in groupby(ordered, key=lambda entry: (entry.metric, entry.cycle))]
    return [segment for clock in clocks for segment in _of_clock(clock, calendar, now)]


def _of_clock(entries: list[LedgerEntry], calendar: Calendar | None, now: datetime) -> list[SegmentView]:
    shown = [_segment(before, after.at, _spent_between(before, after)) for before, after in pairwise(entries)]
    last = entries[-1]
    if last.kind in ("stopped", "cancelled"):
        return shown
    business = elapsed(calendar, last.at, now) if last.is_running and calendar else timedelta()
    return [*shown, _segment(last, None, business)]


def _spent_between(before: LedgerEntry, after: LedgerEntry) -> timedelta:
    """A clock that stood still spent nothing, also when it begins again with nothing spent."""
    return after.spent - before.spent if before.is_running else timedelta()


def _segment(entry: LedgerEntry, to: datetime | None, business: timedelta) -> SegmentView:
    return SegmentView(
        **entry.model_dump(include={"metric", "cycle", "kind", "reason", "due_at", "policy_version", "calendar_version"}),
        state="running" if entry.is_running else "paused",
        actor={"kind": entry.actor_kind, "id": str(entry.actor_id) if entry.actor_id else None},
        from_=entry.at,
        to=to,
        seconds=business.total_seconds(),
        target_seconds=int(entry.target.total_seconds()),
    )
