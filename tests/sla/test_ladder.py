from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.sla.ladder import DEFAULT_LADDER, Audience, Ladder, Reassign, Rung
from models.sla.policy import Metric

TEN_HOURS = timedelta(hours=10)


@pytest.mark.parametrize(
    ("when", "after"),
    [({"at_fraction": 0.75}, 7.5), ({"at_fraction": 1.25}, 12.5), ({"offset_seconds": 3600}, 11), ({"offset_seconds": -3600}, 9)],
)
def test_a_rung_is_due_at_a_share_of_the_target_or_at_an_offset_from_its_end(when: dict[str, Any], after: float) -> None:
    assert Rung(level=1, **when).after(TEN_HOURS) == timedelta(hours=after)


@pytest.mark.parametrize("when", [{}, {"at_fraction": 1, "offset_seconds": 0}, {"at_fraction": 0}, {"at_fraction": float("inf")}])
def test_a_rung_has_exactly_one_instant(when: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rung(level=1, **when)


@pytest.mark.parametrize("level", [0, 4])
def test_there_are_three_levels(level: int) -> None:
    with pytest.raises(ValidationError):
        Rung(level=level, at_fraction=1)


def test_a_metric_has_one_rung_a_level() -> None:
    rung = Rung(level=1, at_fraction=1)
    with pytest.raises(ValidationError, match="at most one rung"):
        Ladder(name="twice", rungs=(rung, rung))
    assert len(Ladder(name="two metrics", rungs=(rung, rung.model_copy(update={"metric": Metric.FIRST_RESPONSE}))).rungs) == 2


def test_the_default_ladder() -> None:
    assert [(r.level, r.at_fraction, r.reassign, r.metric) for r in DEFAULT_LADDER.rungs] == [
        (1, 0.75, Reassign.NONE, Metric.RESOLUTION),
        (2, 1.0, Reassign.SENIOR, Metric.RESOLUTION),
        (3, 1.25, Reassign.LEAD, Metric.RESOLUTION),
    ]
    assert DEFAULT_LADDER.rungs[0].notify == (Audience.ASSIGNEE, Audience.LEAD)
