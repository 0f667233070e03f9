"""A ticket's traits are edited. What decides its SLA re-times the clocks: what was spent stays spent."""

import json
from typing import Any

from pydantic.alias_generators import to_camel

from models.errors import Conflict
from models.sla import tracking as clocks
from models.sla.pinned import Pin, SlaConfiguration
from models.sla.recalculate import versions
from models.sla.rulebook import no_such_category, pin, pin_of, rulebook, traits_of
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import assign_automatically
from models.tickets.lifecycle import Status

_DECIDE_SLA = {"priority", "category", "tags", "organizer_id"}


async def edit(ticket: TicketAggregate, changes: dict[str, Any]) -> None:
    """Set the columns of ``changes`` that differ.

    Raises:
        Conflict: the ticket is closed. Invalid: the merchant has no such category.
    """
    row = ticket.row
    if row.status is Status.CLOSED:
        raise Conflict("ticket_is_closed", "The ticket is closed.")
    differing = {name: value for name, value in changes.items() if not _same(getattr(row, name), value)}
    if not differing:
        return
    before, pinned = {name: getattr(row, name) for name in (*differing, "team_id")}, pin_of(row)
    if "category" in differing:
        await _change_category(ticket, differing["category"])
    row.sqlmodel_update(differing)
    deciding = sorted(_DECIDE_SLA & differing.keys())
    configuration = await _choose_configuration(ticket) if deciding else ticket.configuration
    edited = {to_camel(name): _pair(old, getattr(row, name)) for name, old in before.items() if not _same(getattr(row, name), old)}
    ticket.record("ticket.edited", **edited, **versions(pinned, pin_of(row)))
    if deciding:
        clocks.retimed(ticket, configuration, ", ".join(deciding))
    if "category" in differing and row.is_queued:
        await assign_automatically(ticket)


async def _change_category(ticket: TicketAggregate, category: str | None) -> None:
    """An unassigned ticket goes to the category's team; an assigned one stays with its agent."""
    book = await rulebook(ticket.session)
    if category not in book.categories:
        raise no_such_category(book.categories, "/category")
    if ticket.row.assignee_id is None:
        ticket.row.team_id = book.categories[category]


async def _choose_configuration(ticket: TicketAggregate) -> SlaConfiguration:
    """The same policy keeps the version that the ticket was opened under; another one is taken as it is now."""
    book = await rulebook(ticket.session)
    chosen, current = book.choose(traits_of(ticket.row)), pin_of(ticket.row)
    if _policy(chosen) == _policy(current):
        return ticket.configuration
    pin(ticket.row, chosen)
    return await book.configuration(ticket.session, chosen)


def _policy(chosen: Pin | None) -> int | None:
    return chosen.policy_id if chosen else None


def _same(value: object, other: object) -> bool:
    """In JSON 1 and true are two values, and in Python they are equal."""
    return value == other and (not isinstance(value, dict) or _document(value) == _document(other))


def _document(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _pair(old: Any, new: Any) -> list[Any]:
    """Old and new, as the audit shows them: of a document what differs, or an edit of a few bytes would write all of it down twice."""
    return list(_differing(old, new)) if isinstance(old, dict) else [_plain(old), _plain(new)]


def _differing(old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    was, now = dict(old), dict(new)
    for name in old.keys() & new.keys():
        if _document(old[name]) == _document(new[name]):
            del was[name], now[name]
        elif isinstance(old[name], dict) and isinstance(new[name], dict):
            was[name], now[name] = _differing(old[name], new[name])
    return was, now


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
