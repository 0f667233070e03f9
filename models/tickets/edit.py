"""A ticket's traits are edited. What decides its SLA re-times the clocks: what was spent stays spent."""

import json
from typing import Any

from pydantic.alias_generators import to_camel

from models.errors import Conflict, Invalid
from models.sla import tracking as clocks
from models.sla.recalculate import versions
from models.sla.rulebook import Pin, pin, pin_of, rulebook, traits_of
from models.sla.rules import Rules
from models.tickets.aggregate import Case
from models.tickets.assign import assign_automatically
from models.tickets.lifecycle import Status

_DECIDE_SLA = {"priority", "category", "tags", "organizer_id"}


async def edit(case: Case, changes: dict[str, Any]) -> None:
    """Set the columns of ``changes`` that differ.

    Raises:
        Conflict: the ticket is closed. Invalid: the merchant has no such category.
    """
    ticket = case.ticket
    if ticket.status is Status.CLOSED:
        raise Conflict("ticket_is_closed", "The ticket is closed.")
    differing = {name: value for name, value in changes.items() if not _same(getattr(ticket, name), value)}
    if not differing:
        return
    before, pinned = {name: getattr(ticket, name) for name in (*differing, "team_id")}, pin_of(ticket)
    if "category" in differing:
        await _move_category(case, differing["category"])
    ticket.sqlmodel_update(differing)
    deciding = sorted(_DECIDE_SLA & differing.keys())
    rules = await _choose_rules(case) if deciding else case.rules
    edited = {
        to_camel(name): [_plain(old), _plain(getattr(ticket, name))]
        for name, old in before.items()
        if not _same(getattr(ticket, name), old)
    }
    case.record("ticket.edited", **edited, **versions(pinned, pin_of(ticket)))
    if deciding:
        clocks.retimed(case, rules, ", ".join(deciding))
    if "category" in differing and ticket.is_queued:
        await assign_automatically(case)


async def _move_category(case: Case, category: str | None) -> None:
    """A ticket that nobody has goes to the category's team; one that somebody has stays with him."""
    book = await rulebook(case.session)
    if category not in book.categories:
        raise Invalid("unknown_category", "There is no such category.", "/category")
    if case.ticket.assignee_id is None:
        case.ticket.team_id = book.categories[category]


async def _choose_rules(case: Case) -> Rules:
    """The same policy keeps the version that the ticket was opened under; another one is taken as it is now."""
    book = await rulebook(case.session)
    chosen, current = book.choose(traits_of(case.ticket)), pin_of(case.ticket)
    if _policy(chosen) == _policy(current):
        return case.rules
    pin(case.ticket, chosen)
    return book.rules(chosen)


def _policy(chosen: Pin | None) -> int | None:
    return chosen.policy_id if chosen else None


def _same(value: object, other: object) -> bool:
    """In JSON 1 and true are two values, and in Python they are equal."""
    return value == other and (not isinstance(value, dict) or _document(value) == _document(other))


def _document(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
