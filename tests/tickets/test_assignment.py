from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.people.roles import Role
from models.sla.calendar import Calendar
from models.tickets.assignment import Availability, Candidate, Unavailable, choose, choose_for_intake, unavailable

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MONDAYS = Calendar.model_validate({"name": "Mondays", "timeZone": "UTC", "weekly": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}})


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


@pytest.mark.parametrize(
    ("at", "is_chosen"),
    [
        (NOON - timedelta(hours=3), True),
        (NOON - timedelta(hours=3, microseconds=1), False),
        (NOON - timedelta(microseconds=1), True),
        (NOON, False),
        (NOON + timedelta(days=1, hours=-1), False),
    ],
    ids=["as it begins", "before it", "at its last instant", "as it ends", "on another day"],
)
def test_who_is_off_shift_is_not_chosen(at: datetime, is_chosen: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (choose([person(1, shift=MONDAYS)], at) is not None) is is_chosen


def test_a_new_ticket_goes_to_a_senior_with_the_skills_before_an_agent_without() -> None:
    senior = person(2, Role.SENIOR, load=9)
    assert choose_for_intake([person(1, has_skills=False), senior], NOON) == senior
    assert choose_for_intake([person(1, has_skills=False)], NOON) is None


def test_the_ladder_asks_for_no_skill() -> None:
    assert chosen(person(1, Role.LEAD, has_skills=False)) == 1


def test_each_who_can_not_get_it_is_counted_once() -> None:
    away = person(1, availability=Availability.AWAY, shift=MONDAYS, load=10)
    off_shift, full = person(2, shift=MONDAYS, load=10), person(3, load=10, has_skills=False)
    team = [away, off_shift, full, person(4, has_skills=False), person(5, Role.LEAD)]
    assert unavailable(team, NOON) == Unavailable(away=1, off_shift=1, full=1, unskilled=1)
