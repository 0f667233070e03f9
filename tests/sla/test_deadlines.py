from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.seed import ALWAYS
from models.sla import clock as clocks
from models.sla.clock import Clock
from models.sla.deadlines import WARN, DeadlineInputs, due
from models.sla.ladder import DEFAULT_LADDER
from models.sla.policy import Metric
from models.sla.run_due import NAMES, deadlines_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOCK = clocks.start(Clock(metric=Metric.RESOLUTION, target=timedelta(hours=100)), NOON, ALWAYS)
R = Metric.RESOLUTION
HOUR = timedelta(hours=1)
RUNGS = {rung.level: rung.after(CLOCK.target) for rung in DEFAULT_LADDER.rungs}
REACHED = clocks.pause(clocks.warn(clocks.reach(CLOCK, NOON + 80 * HOUR, RUNGS, ALWAYS), 0.75), NOON + 80 * HOUR, ALWAYS)
AFTER_A_PAUSE = [
    "escalate resolution/1/1 75",
    "breach resolution/1 220",
    "escalate resolution/1/2 220",
    "escalate resolution/1/3 245",
]


def deadlines(**more: Any) -> list[str]:
    """The kind and key of each deadline, with the hours after noon at which it is due."""
    inputs = DeadlineInputs(
        **{
            "clocks": (CLOCK,),
            "calendar": ALWAYS,
            "ladder": DEFAULT_LADDER,
            "warn_at_fractions": (0.5, 0.75),
        }
        | more,
    )
    return [f"{d.kind} {d.key} {(d.due_at - NOON) / timedelta(hours=1):g}".replace("  ", " ") for d in deadlines_of(inputs)]


ALL = [
    "warn resolution/1/0.5 50",
    "warn resolution/1/0.75 75",
    "escalate resolution/1/1 75",
    "breach resolution/1 100",
    "escalate resolution/1/2 100",
    "escalate resolution/1/3 125",
]


def test_deadlines_come_in_the_order_in_which_they_are_acted_on() -> None:
    assert deadlines() == ALL


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ({"clocks": (clocks.pause(CLOCK, NOON, ALWAYS),)}, []),
        ({"clocks": (clocks.stop(CLOCK, NOON, ALWAYS),)}, []),
        ({"clocks": (clocks.cancel(CLOCK, NOON, ALWAYS),)}, []),
        ({"clocks": ()}, []),
        ({"calendar": None}, []),
        ({"clocks": (clocks.warn(CLOCK, 0.5),)}, ALL[1:]),
        ({"clocks": (clocks.breach(CLOCK),)}, [ALL[2], ALL[4], ALL[5]]),
        ({"ladder": None}, [ALL[0], ALL[1], ALL[3]]),
        ({"taken": frozenset({(R, 1, 1)})}, [ALL[0], ALL[1], *ALL[3:]]),
        ({"taken": frozenset({(R, 2, 1)})}, ALL),
        ({"taken": frozenset({(R, 1, 1)}), "clocks": (clocks.acknowledge(CLOCK),)}, [ALL[0], ALL[1], ALL[3]]),
        ({"clocks": (REACHED,)}, ["escalate resolution/1/1 75"]),
        ({"clocks": (REACHED,), "taken": frozenset({(R, 1, 1)})}, []),
        ({"clocks": (clocks.start(REACHED, NOON + 200 * HOUR, ALWAYS),)}, AFTER_A_PAUSE),
    ],
    ids=[
        "paused",
        "stopped",
        "cancelled",
        "no clock",
        "no calendar",
        "warned",
        "breached",
        "no ladder",
        "level one taken",
        "taken in another cycle",
        "acknowledged",
        "paused after level one was due",
        "and taken",
        "and resumed",
    ],
)
def test_the_deadlines_that_are_left(more: dict[str, Any], left: list[str]) -> None:
    assert deadlines(**more) == left


def test_a_resolved_ticket_has_a_survey_and_an_auto_close_deadline() -> None:
    after = {"survey": NOON + timedelta(hours=1), "auto_close": NOON + timedelta(hours=2)}
    assert deadlines(clocks=(), instants=after) == ["survey 1", "auto_close 2"]


def test_the_end_of_a_snooze_is_a_deadline_among_the_others() -> None:
    woken = {"instants": {"wake": NOON + timedelta(hours=75)}}
    assert deadlines(**woken) == [*ALL[:3], "wake 75", *ALL[3:]]
    assert deadlines(clocks=(clocks.pause(CLOCK, NOON, ALWAYS),), **woken) == ["wake 75"]


def test_every_kind_of_deadline_occurs() -> None:
    at = NOON + timedelta(hours=1)
    kinds = {each.split()[0] for each in deadlines(instants={"wake": at, "survey": at, "auto_close": at})}
    assert kinds == set(NAMES)


def test_a_deadline_is_due_at_its_very_instant() -> None:
    found = deadlines_of(_warned_half_way(CLOCK))
    at = NOON + timedelta(hours=50)
    seen = [[deadline.kind for deadline in due(found, instant)] for instant in (at - timedelta(microseconds=1), at)]
    assert seen == [[], [WARN]]


def test_a_breached_cycle_gives_no_warning() -> None:
    first = clocks.start(Clock(metric=Metric.FIRST_RESPONSE, target=150 * HOUR), NOON, ALWAYS)
    found = deadlines_of(_warned_half_way(CLOCK, first))
    assert [f"{d.kind} {d.key}" for d in due(found, NOON + 100 * HOUR)] == ["warn first_response/1/0.5", "breach resolution/1"]


def _warned_half_way(*clocks: Clock) -> DeadlineInputs:
    return DeadlineInputs(
        clocks=clocks,
        calendar=ALWAYS,
        ladder=None,
        warn_at_fractions=(0.5,),
    )
