"""Which policy a ticket gets: by position, then by how specific the match is, then the newer one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sla.order import Placed, Reason, first_match, in_order, position_of_new, standing
from models.sla.policy import Match, SlaPolicy, Traits
from models.tickets.lifecycle import Priority
from tests.sla.oracle_order import PlainPolicy, winner

VIP = Traits(priority=Priority.HIGH, category="billing", organizer_id=7, tags=frozenset({"vip"}))
VALUES = {"priorities": ["low", "high"], "categories": ["billing", "general"], "organizer_ids": ["7", "8"], "tags": ["vip", "till", "old"]}

values = {trait: st.frozensets(st.sampled_from(known), max_size=len(known)) for trait, known in VALUES.items()}
matches = st.fixed_dictionaries(values).map(lambda match: {trait: allowed for trait, allowed in match.items() if allowed})
policies = st.lists(st.tuples(st.integers(0, 2), matches), max_size=6)
tickets = st.fixed_dictionaries(
    {trait: st.sampled_from(known).map(lambda value: frozenset([value])) for trait, known in VALUES.items() if trait != "tags"}
    | {"tags": values["tags"]}
)


def placed(number: int, position: int | None = 0, **match: object) -> Placed:
    return Placed(
        number, SlaPolicy(name=f"policy {number}", position=position, match=Match.model_validate(match), calendar_id=1, targets={})
    )


@given(policies, tickets)
def test_the_winner_is_the_one_that_no_other_beats(
    drawn: list[tuple[int, dict[str, frozenset[str]]]], ticket: dict[str, frozenset[str]]
) -> None:
    plain = [PlainPolicy(number, position, match) for number, (position, match) in enumerate(drawn, 1)]
    (priority,), (category,), (organizer,) = (ticket[trait] for trait in ("priorities", "categories", "organizer_ids"))
    traits = Traits(priority=Priority(priority), category=category, organizer_id=int(organizer), tags=ticket["tags"])
    found = first_match(in_order(placed(each.number, each.position, **each.allowed) for each in plain), traits)
    assert (found.id if found else None) == winner(plain, ticket)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (placed(1, 0), placed(2, 1, tags=["vip"])),
        (placed(2, 1, tags=["vip"]), placed(1, 1)),
        (placed(2, 1, tags=["vip"], priorities=["high"]), placed(1, 1, tags=["vip"])),
        (placed(1, 1, tags=["vip"]), placed(2, 1, tags=["vip", "till"])),
        (placed(2, 1, tags=["vip"]), placed(1, 1, tags=["till"])),
        (placed(2, 1), placed(1, 1)),
    ],
    ids=["position", "a condition", "more conditions", "fewer values", "newer", "newer of two for all"],
)
def test_of_two_policies_one_is_tried_first(first: Placed, second: Placed) -> None:
    assert in_order([first, second]) == in_order([second, first]) == (first, second)


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (placed(9, 0, tags=["vip"]), None),
        (placed(9, 5, tags=["vip"]), Reason.LOWER_POSITION),
        (placed(9, 2), Reason.MORE_SPECIFIC),
        (placed(9, 2, tags=["vip", "till"]), Reason.MORE_SPECIFIC),
        (placed(1, 2, tags=["vip"]), Reason.NEWER),
        (placed(9, 0, tags=["till"]), Reason.NO_MATCH),
    ],
)
def test_a_candidate_hears_why_it_does_not_win(candidate: Placed, reason: Reason | None) -> None:
    ordered = in_order([placed(5, 2, tags=["vip"]), candidate])
    found = standing(ordered, VIP, candidate.id)
    assert found.reason is reason
    assert found.won_by
    assert found.won_by.id == (candidate.id if reason is None else 5)


def test_without_a_matching_policy_nobody_wins() -> None:
    assert standing(in_order([placed(1, tags=["till"])]), VIP, 1) == (None, Reason.NO_MATCH)
    assert standing((), VIP, None) == (None, None)


def test_a_policy_without_a_position_stands_before_the_first_for_all_tickets() -> None:
    ordered = in_order([placed(1, 1, tags=["vip"]), placed(2, 2), placed(3, 9)])
    assert position_of_new(ordered) == 2
    assert in_order([*ordered, placed(4, 2, tags=["till"])])[1].id == 4
    assert in_order([*ordered, placed(4, 2)])[1].id == 4
    assert position_of_new(in_order([placed(1, 1, tags=["vip"]), placed(3, 9, tags=["till"])])) == 9
    assert position_of_new(()) == 0
