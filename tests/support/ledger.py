"""Every clock has its ledger, and the ledger alone says what the clock has spent: recomputed by the calendar that was in force."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

from models.sla.calendar import Calendar, elapsed
from models.sla.clock import ZERO, ClockStatus
from models.sla.policy import Metric, SlaPolicy
from models.sla.tables import ConfigurationKind, ConfigurationVersion, LedgerEntry, SlaClock, clock_of


class _Key(NamedTuple):
    ticket_id: int
    metric: Metric
    cycle: int


def ledger_sums_up(clocks: Sequence[SlaClock], ledger: Sequence[LedgerEntry], versions: Sequence[ConfigurationVersion]) -> None:
    """Raises: AssertionError: a clock and its ledger differ, or a stretch of it is not the business time of its calendar."""
    turns: dict[_Key, list[LedgerEntry]] = defaultdict(list)
    for entry in ledger:
        turns[_key(entry)].append(entry)
    assert turns.keys() <= {_key(clock) for clock in clocks}, "a ledger without a clock"
    definitions = {(each.kind, each.id, each.version): each.definition for each in versions}
    for clock in clocks:
        _agrees(clock, turns[_key(clock)])
        for before, after in pairwise(turns[_key(clock)]):
            assert after.spent - before.spent == _between(before, after, definitions), (before, after)


def _agrees(clock: SlaClock, turns: Sequence[LedgerEntry]) -> None:
    """Only a clock that never started has no ledger. Between its turns a clock spends nothing that it keeps."""
    if not turns:
        assert clock_of(clock).status is ClockStatus.PENDING, ("a clock without a ledger", clock)
        return
    first, last = turns[0], turns[-1]
    assert (first.spent, last.spent) == (ZERO, clock.spent), clock
    assert last.is_running == (clock.running_since is not None), (last, clock)
    assert clock.running_since in (None, last.at), (last, clock)
    assert clock.stopped_at in (None, last.at), (last, clock)


def _between(
    before: LedgerEntry, after: LedgerEntry, definitions: dict[tuple[ConfigurationKind, int, int], dict[str, object]]
) -> timedelta:
    """What a clock that ran from ``before`` on has spent by ``after``: a restart forgets all, and what stands still spends nothing."""
    if after.kind == "restarted":
        return -before.spent
    if not before.is_running:
        return ZERO
    assert before.policy_id is not None, ("it runs under no policy", before)
    policy = definitions[ConfigurationKind.POLICY, before.policy_id, before.policy_version or 0]
    calendar_id = SlaPolicy.model_validate(policy).calendar_id
    calendar = definitions[ConfigurationKind.CALENDAR, calendar_id, before.calendar_version or 0]
    return elapsed(Calendar.model_validate(calendar), before.at, after.at)


def _key(row: SlaClock | LedgerEntry) -> _Key:
    return _Key(row.ticket_id, row.metric, row.cycle)
