from datetime import timedelta

import pytest
from pydantic import ValidationError

from models.sla.policy import Match, Metric, PauseOn, SlaPolicy, Targets, Traits
from models.tickets.lifecycle import Priority, Status

TRAITS = Traits(priority=Priority.HIGH, category="billing", organizer_id=7, tags=frozenset({"vip", "till"}))


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(), True),
        (Match(priorities=(Priority.HIGH, Priority.URGENT)), True),
        (Match(priorities=(Priority.LOW,)), False),
        (Match(categories=("billing",)), True),
        (Match(categories=("general",)), False),
        (Match(organizer_ids=(7,)), True),
        (Match(organizer_ids=(8,)), False),
        (Match(tags=("vip", "other")), True),
        (Match(tags=("other",)), False),
        (Match(priorities=(Priority.HIGH,), categories=("general",)), False),
    ],
)
def test_a_policy_matches_tickets_that_meet_every_condition(match: Match, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    assert match.holds(TRAITS) is holds


def test_a_metric_without_a_target_has_none() -> None:
    policy = SlaPolicy(name="Desk", calendar_id=1, targets={Priority.HIGH: Targets(resolution_seconds=60)})
    assert policy.target(Priority.HIGH, Metric.RESOLUTION) == timedelta(minutes=1)
    assert policy.target(Priority.HIGH, Metric.FIRST_RESPONSE) is None
    assert policy.target(Priority.LOW, Metric.RESOLUTION) is None


def test_only_the_resolution_clock_is_paused_by_default() -> None:
    assert PauseOn().of(Metric.RESOLUTION) == (Status.PENDING, Status.ON_HOLD)
    assert PauseOn().of(Metric.FIRST_RESPONSE) == PauseOn().of(Metric.NEXT_RESPONSE) == ()


@pytest.mark.parametrize("seconds", [0, -1, 366 * 86_400 + 1])
def test_a_target_is_between_a_second_and_a_year(seconds: int) -> None:
    with pytest.raises(ValidationError):
        Targets(resolution_seconds=seconds)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_a_warning_comes_before_the_end(fraction: float) -> None:
    with pytest.raises(ValidationError):
        SlaPolicy(name="Desk", calendar_id=1, targets={}, warn_at_fractions=(fraction,))
