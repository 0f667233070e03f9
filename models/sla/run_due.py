"""What comes due. Each kind of deadline is declared here, once: when it is due, in which order, what is done, and when it is dropped.

A new kind is one more entry of :data:`KINDS`. The ticket is locked and everything is judged again from its rows.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from models.platform.metrics import DEADLINE_LATENESS
from models.sla.deadlines import BREACH, ESCALATE, WARN, Deadline, DeadlineInputs, breaches_of, due, rungs_of, warnings_of
from models.sla.escalate import take_highest_rung
from models.sla.tracking import breach, warn
from models.surveys.survey import send_survey
from models.tickets.aggregate import TicketAggregate
from models.tickets.lifecycle import Status
from models.tickets.snooze import wake
from models.tickets.transitions import auto_close


class Turn(StrEnum):
    """When a kind acts, of all that are due at once. ``FIRST``: what it does changes what else is due. ``LAST``: with all of its own."""

    FIRST = "first"
    IN_ORDER = "each at its place in time"
    LAST = "last"


class DeadlineKind(NamedTuple):
    """``of`` computes its deadlines, ``act`` is called with those that are due.

    A kind whose instant stands in a ``column`` of the ticket is due only in the states ``while_in``; in any other the column is emptied.
    """

    name: str
    act: Callable[[TicketAggregate, Sequence[Deadline]], Awaitable[object]]
    of: Callable[[DeadlineInputs], Iterable[Deadline]] | None = None
    column: str | None = None
    while_in: frozenset[Status] = frozenset()
    turn: Turn = Turn.LAST


KINDS = (  # in this order they are acted on, and listed where their instants are equal
    DeadlineKind(WARN, warn, of=warnings_of, turn=Turn.IN_ORDER),
    DeadlineKind(BREACH, breach, of=breaches_of, turn=Turn.IN_ORDER),
    DeadlineKind(ESCALATE, take_highest_rung, of=rungs_of),
    DeadlineKind("wake", lambda ticket, _: wake(ticket), column="snoozed_until", while_in=frozenset({Status.ON_HOLD}), turn=Turn.FIRST),
    DeadlineKind("survey", lambda ticket, _: send_survey(ticket), column="survey_at", while_in=frozenset({Status.RESOLVED})),
    DeadlineKind("auto_close", lambda ticket, _: auto_close(ticket), column="auto_close_at", while_in=frozenset({Status.RESOLVED})),
)
NAMES = tuple(kind.name for kind in KINDS)


async def run_due(ticket: TicketAggregate) -> None:
    """Act on every deadline that is due at the instant asked for. One that was met, moved or taken meanwhile is not there any more."""
    if ticket.has_ended:
        return
    found = due_now(ticket)
    if not found:  # the workflow's instants are not the rows': the data of a time zone or of holidays has changed
        ticket.known = None
    await _act(ticket, Turn.FIRST, found)
    found = due_now(ticket)
    for deadline in found:
        await _act(ticket, Turn.IN_ORDER, [deadline])
    await _act(ticket, Turn.LAST, found)


def due_now(ticket: TicketAggregate) -> tuple[Deadline, ...]:
    """What is to be acted on as of the instant asked for."""
    return due(deadlines_of(inputs_of(ticket)), ticket.requested_at)


def deadlines_of(inputs: DeadlineInputs) -> tuple[Deadline, ...]:
    """All that is still to come or overdue, the nearest first."""
    found = (deadline for kind in KINDS for deadline in (kind.of(inputs) if kind.of else _named(kind, inputs)))
    return tuple(sorted(found, key=lambda deadline: (deadline.due_at, NAMES.index(deadline.kind), deadline.key)))


def inputs_of(ticket: TicketAggregate) -> DeadlineInputs:
    configuration = ticket.configuration
    taken = [e for e in ticket.escalations if e.metric is not None and e.cycle is not None]
    columns = {kind.name: getattr(ticket.row, kind.column) for kind in KINDS if kind.column and ticket.row.status in kind.while_in}
    return DeadlineInputs(
        clocks=tuple(ticket.clocks.by_key.values()),
        calendar=configuration.calendar,
        ladder=configuration.ladder,
        warn_at_fractions=configuration.warn_at_fractions,
        taken=frozenset((e.metric, e.cycle, e.level) for e in taken),
        instants={name: at for name, at in columns.items() if at is not None},
    )


def drop_stale_instants(ticket: TicketAggregate) -> None:
    """Empty each column whose deadline does not belong to the ticket's state any more."""
    for kind in KINDS:
        if kind.column and ticket.row.status not in kind.while_in and getattr(ticket.row, kind.column) is not None:
            setattr(ticket.row, kind.column, None)


async def _act(ticket: TicketAggregate, turn: Turn, found: Sequence[Deadline]) -> None:
    for kind in (kind for kind in KINDS if kind.turn is turn):
        if mine := [deadline for deadline in found if deadline.kind == kind.name]:
            await kind.act(ticket, mine)
            ticket.session.once_committed(partial(_measure_lateness, mine))


def _measure_lateness(acted_on: Sequence[Deadline]) -> None:
    """By this machine's clock, which may be a little behind the one that made them due."""
    for deadline in acted_on:
        DEADLINE_LATENESS.labels(deadline.kind).observe(max(0.0, time.time() - deadline.due_at.timestamp()))


def _named(kind: DeadlineKind, inputs: DeadlineInputs) -> list[Deadline]:
    at = inputs.instants.get(kind.name)
    return [] if at is None else [Deadline(kind=kind.name, due_at=at)]
