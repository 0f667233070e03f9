"""Histories are read for years: a message class only ever gains fields, last, with a default."""

import pytest

from tests.replay.announced import announced, flaws, present


def test_no_message_class_loses_or_moves_a_field_or_gains_one_without_a_default() -> None:
    assert flaws(announced(), present()) == []


def test_what_a_message_class_gains_is_announced() -> None:
    assert present() == announced(), "announce it: python -m tests.replay.announced"


BEFORE = {"Ref": ["id: int", "round: int = 0"]}


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"Ref": ["id: int"]},
        {"Ref": ["round: int = 0", "id: int"]},
        {"Ref": ["id: str", "round: int = 0"]},
        {"Ref": ["id: int", "round: int"]},
        {"Ref": ["id: int", "at: datetime | None = None", "round: int = 0"]},
        {"Ref": ["id: int", "round: int = 0", "at: datetime"]},
    ],
)
def test_what_breaks_old_histories_is_found(now: dict[str, list[str]]) -> None:
    assert len(flaws(BEFORE, now)) >= 1


def test_a_new_class_and_a_field_at_the_end_with_a_default_are_fine() -> None:
    assert flaws(BEFORE, {"Ref": [*BEFORE["Ref"], "at: datetime | None = None"], "New": ["id: int"]}) == []
