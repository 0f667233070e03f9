import pytest

from models.tickets.lifecycle import ALLOWED, TARGET, Status, Transition, allowed_from, is_allowed, may_snooze, transition_to

VERBS = {
    Status.NEW: {"pending", "hold", "resolve", "close"},
    Status.OPEN: {"pending", "hold", "resolve", "close"},
    Status.PENDING: {"hold", "resume", "resolve", "close"},
    Status.ON_HOLD: {"pending", "resume", "resolve", "close"},
    Status.RESOLVED: {"reopen", "close"},
    Status.CLOSED: set(),
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("move", list(Transition))
def test_the_verbs_of_each_state(status: Status, move: Transition) -> None:
    assert is_allowed(move, status) == (move.value in VERBS[status])


@pytest.mark.parametrize("status", list(Status))
def test_no_state_leads_to_itself_and_none_back_to_new(status: Status) -> None:
    assert not {status, Status.NEW} & ALLOWED[status]


def test_every_state_but_the_last_leads_to_the_end() -> None:
    assert all(Status.CLOSED in ALLOWED[status] for status in Status if status is not Status.CLOSED)


def test_a_snooze_is_allowed_where_a_hold_is_and_on_hold_itself() -> None:
    assert {status for status in Status if may_snooze(status)} == {status for status in VERBS if "hold" in VERBS[status]} | {Status.ON_HOLD}


def test_what_is_allowed_is_told_in_the_order_of_the_life() -> None:
    assert allowed_from(Status.PENDING) == [Status.OPEN, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED]
    assert allowed_from(Status.CLOSED) == []


def test_the_verb_that_leads_to_open_depends_on_where_one_stands() -> None:
    found = {status: transition_to(Status.OPEN, status) for status in Status}
    assert {status: move for status, move in found.items() if move} == {
        Status.PENDING: Transition.RESUME,
        Status.ON_HOLD: Transition.RESUME,
        Status.RESOLVED: Transition.REOPEN,
    }


def test_every_verb_leads_somewhere() -> None:
    assert set(TARGET) == set(Transition)
