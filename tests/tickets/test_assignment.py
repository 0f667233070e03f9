from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.people.roles import Role
from models.tickets.assignment import Availability, Candidate, choose, choose_for_intake

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def person(id_: int, role: Role = Role.AGENT, load: int = 0, capacity: int = 10, **more: Any) -> Candidate:
    return Candidate(id=id_, role=role, capacity=capacity, load=load, **more)


def chosen(*people: Candidate) -> int | None:
    found = choose(people, NOON)
    return found.id if found else None


def test_nobody_there_is_nobody_chosen() -> None:
    assert chosen() is None


def test_the_least_loaded_relative_to_capacity_is_chosen() -> None:
    assert chosen(person(1, load=2, capacity=4), person(2, load=3, capacity=10)) == 2


def test_ties_go_by_id() -> None:
    assert chosen(person(7), person(3), person(5)) == 3


@pytest.mark.parametrize(("load", "capacity"), [(10, 10), (11, 10), (0, 0)])
def test_who_is_full_is_not_chosen(load: int, capacity: int) -> None:
    assert chosen(person(1, load=load, capacity=capacity)) is None


@pytest.mark.parametrize(
    ("until", "is_chosen"),
    [(None, False), (NOON + timedelta(seconds=1), False), (NOON, True), (NOON - timedelta(days=1), True)],
)
def test_away_ends_by_itself(until: datetime | None, is_chosen: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (chosen(person(1, availability=Availability.AWAY, away_until=until)) == 1) is is_chosen


def test_a_new_ticket_goes_to_an_agent_and_to_a_senior_only_without_one() -> None:
    agent, senior = person(1, load=9), person(2, Role.SENIOR)
    assert choose_for_intake([senior, agent], NOON) == agent
    assert choose_for_intake([senior, person(1, load=10)], NOON) == senior


def test_a_lead_gets_no_new_ticket() -> None:
    assert choose_for_intake([person(1, Role.LEAD)], NOON) is None
