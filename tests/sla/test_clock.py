from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.seed import ALWAYS, OFFICE
from models.sla import clock as clocks
from models.sla.calendar import Calendar
from models.sla.clock import Clock, ClockStatus, TargetPlan
from models.sla.policy import Metric

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday, 13:00 in Berlin
HOUR = timedelta(hours=1)
WARNINGS = (0.5, 0.75)
NEW = Clock(metric=Metric.RESOLUTION, target=10 * HOUR)
RUNNING = clocks.start(NEW, NOON, ALWAYS)
RARELY = Calendar.model_validate({"name": "A minute a week", "timeZone": "UTC", "weekly": {"mon": [["00:00", "00:01"]]}})


def test_a_new_clock_is_pending() -> None:
    assert NEW.status == ClockStatus.PENDING
    assert NEW.is_live is True
    assert NEW.is_running is False


def test_a_started_clock_is_due_after_its_target() -> None:
    assert RUNNING.status == ClockStatus.RUNNING
    assert RUNNING.due_at == NOON + 10 * HOUR


def test_office_hours_make_it_due_on_a_later_day() -> None:
    assert clocks.start(NEW, NOON, OFFICE).due_at == datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_what_lies_beyond_the_calendars_horizon_is_never_due() -> None:
    assert clocks.start(NEW.model_copy(update={"target": 1000 * HOUR}), NOON, RARELY).due_at is None


def test_starting_a_running_clock_again_changes_nothing() -> None:
    assert clocks.start(RUNNING, NOON + HOUR, ALWAYS) == RUNNING


def test_a_paused_clock_keeps_what_was_spent_and_is_not_due() -> None:
    paused = clocks.pause(RUNNING, NOON + 4 * HOUR, ALWAYS)
    assert paused.status == ClockStatus.PAUSED
    assert paused.spent == 4 * HOUR
    assert paused.due_at is None
    assert paused.paused_at == NOON + 4 * HOUR
    assert clocks.used(paused, NOON + 90 * HOUR, ALWAYS) == 4 * HOUR
    assert clocks.pause(paused, NOON + 5 * HOUR, ALWAYS) == paused


def test_after_a_pause_the_rest_of_the_target_is_left() -> None:
    paused = clocks.pause(RUNNING, NOON + 4 * HOUR, ALWAYS)
    assert clocks.start(paused, NOON + 100 * HOUR, ALWAYS).due_at == NOON + 106 * HOUR


@pytest.mark.parametrize("late", [-HOUR, timedelta()])
def test_a_metric_met_by_its_deadline_is_met_in_time(late: timedelta) -> None:
    at = NOON + 10 * HOUR + late
    assert clocks.stop(clocks.settle(RUNNING, at), at, ALWAYS).status is ClockStatus.ACHIEVED


def test_a_breach_is_stamped_with_when_it_became_true_and_stays() -> None:
    at = NOON + 30 * HOUR
    stopped = clocks.stop(clocks.settle(RUNNING, at), at, ALWAYS)
    assert stopped.status == ClockStatus.BREACHED
    assert stopped.breached_at == NOON + 10 * HOUR
    assert clocks.settle(stopped, at + HOUR) == stopped


def test_a_cancelled_clock_counts_neither_way() -> None:
    cancelled = clocks.cancel(RUNNING, NOON + HOUR, ALWAYS)
    assert cancelled.status == ClockStatus.CANCELLED
    assert cancelled.is_live is False
    assert cancelled.spent == HOUR


def test_a_warning_puts_it_at_risk_and_only_grows() -> None:
    warned = clocks.warn(clocks.warn(RUNNING, 0.75), 0.5)
    assert warned.status == ClockStatus.IMMINENT
    assert warned.warned_fraction == 0.75


def test_a_nearer_target_that_was_spent_already_is_due_at_once() -> None:
    retimed = clocks.retime(RUNNING, NOON + 4 * HOUR, TargetPlan(2 * HOUR, WARNINGS), was=ALWAYS, calendar=ALWAYS)
    assert retimed.spent == 4 * HOUR
    assert retimed.due_at == NOON + 4 * HOUR


def test_a_farther_target_takes_a_warning_back() -> None:
    warned = clocks.warn(RUNNING, 0.75)
    retimed = clocks.retime(warned, NOON + 8 * HOUR, TargetPlan(20 * HOUR, WARNINGS), was=ALWAYS, calendar=ALWAYS)
    assert retimed.status == ClockStatus.RUNNING
    assert retimed.due_at == NOON + 20 * HOUR


def test_retiming_a_paused_clock_leaves_it_paused() -> None:
    paused = clocks.pause(RUNNING, NOON + HOUR, ALWAYS)
    retimed = clocks.retime(paused, NOON + 2 * HOUR, TargetPlan(5 * HOUR, WARNINGS), was=ALWAYS, calendar=ALWAYS)
    assert retimed.status == ClockStatus.PAUSED
    assert retimed.spent == HOUR
    assert retimed.target == 5 * HOUR


def test_a_restart_begins_with_nothing_spent() -> None:
    stopped = clocks.stop(clocks.warn(RUNNING, 0.75), NOON + 9 * HOUR, ALWAYS)
    again = clocks.start(clocks.restart(stopped, NOON + 20 * HOUR), NOON + 20 * HOUR, ALWAYS)
    assert again.spent == timedelta()
    assert again.due_at == NOON + 30 * HOUR
    assert again.warned_fraction == 0


@given(st.lists(st.integers(min_value=0, max_value=10**6), max_size=12))
def test_the_running_stretches_sum_to_the_time_used_whatever_the_pauses(minutes: list[int]) -> None:
    clock, at, ran = NEW, NOON, timedelta()
    for turn, pause in enumerate(minutes):
        is_start = turn % 2 == 0
        clock = (clocks.start if is_start else clocks.pause)(clock, at, ALWAYS)
        at += timedelta(minutes=pause)
        ran += timedelta(minutes=pause) if is_start else timedelta()
    assert clocks.used(clock, at, ALWAYS) == ran
