"""The oracle of which policy a ticket gets, written from the contract and sharing no code with `models.sla`: of two that match, one beats
the other, and the winner is the one that nothing beats."""

from typing import NamedTuple


class PlainPolicy(NamedTuple):
    """``allowed`` maps a trait to the values that it may have; a trait that is not in it may have any."""

    number: int
    position: int
    allowed: dict[str, frozenset[str]]

    def takes(self, ticket: dict[str, frozenset[str]]) -> bool:
        return all(ticket[trait] & values for trait, values in self.allowed.items())

    def beats(self, other: "PlainPolicy") -> bool:
        if self.position != other.position:
            return self.position < other.position
        if len(self.allowed) != len(other.allowed):
            return len(self.allowed) > len(other.allowed)
        mine, theirs = (sum(len(values) for values in each.allowed.values()) for each in (self, other))
        return mine < theirs or (mine == theirs and self.number > other.number)


def winner(policies: list[PlainPolicy], ticket: dict[str, frozenset[str]]) -> int | None:
    matching = [each for each in policies if each.takes(ticket)]
    best = [each.number for each in matching if not any(other.beats(each) for other in matching)]
    assert len(best) <= 1
    return best[0] if best else None
