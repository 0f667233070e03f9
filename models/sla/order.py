"""Which policy a ticket gets: the first one that matches, by position; at the same position the more specific one, then the newer one.

A match is the more specific the more conditions it has; of as many conditions, the fewer values they allow. So a policy for all tickets
comes last at its position, and a policy that was just published is not behind an equal one that nobody remembers.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from models.sla.policy import SlaPolicy, Traits


class Reason(StrEnum):
    """Why a policy did not win a ticket."""

    NO_MATCH = "no_match"
    LOWER_POSITION = "lower_position"
    MORE_SPECIFIC = "more_specific"
    NEWER = "newer"


class Placed(NamedTuple):
    """A policy in the order. ``id`` grows from the older to the newer."""

    id: int
    policy: SlaPolicy

    @property
    def position(self) -> int:
        return self.policy.position or 0

    @property
    def specificity(self) -> tuple[int, int]:
        """The more specific, the smaller."""
        sizes = self.policy.match.sizes
        return -len(sizes), sum(sizes)


class Standing(NamedTuple):
    """Which policy won a ticket, if any; and why the candidate did not: None if it won, or if there is no candidate."""

    won_by: Placed | None
    reason: Reason | None


def in_order(policies: Iterable[Placed]) -> tuple[Placed, ...]:
    return tuple(sorted(policies, key=_rank))


def position_of_new(ordered: tuple[Placed, ...]) -> int:
    """Where a policy stands that names no position: right before the first that is for all tickets, else among the last ones."""
    catch_all = next((each for each in ordered if each.policy.match.is_for_all), None)
    last = catch_all or (ordered[-1] if ordered else None)
    return last.position if last else 0


def first_match(ordered: Iterable[Placed], traits: Traits) -> Placed | None:
    return next((each for each in ordered if each.policy.match.holds(traits)), None)


def standing(ordered: tuple[Placed, ...], traits: Traits, candidate_id: int | None) -> Standing:
    won_by = first_match(ordered, traits)
    candidate = next((each for each in ordered if each.id == candidate_id), None)
    if candidate is None or candidate is won_by:
        return Standing(won_by, None)
    if won_by is None or not candidate.policy.match.holds(traits):
        return Standing(won_by, Reason.NO_MATCH)
    return Standing(won_by, _reason(won_by, candidate))


def _reason(won_by: Placed, candidate: Placed) -> Reason:
    if won_by.position < candidate.position:
        return Reason.LOWER_POSITION
    return Reason.NEWER if won_by.specificity == candidate.specificity else Reason.MORE_SPECIFIC


def _rank(each: Placed) -> tuple[int, tuple[int, int], int]:
    return each.position, each.specificity, -each.id
