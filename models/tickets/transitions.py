"""The ticket's status, changed by the table of transitions, with its clocks and what follows a resolution."""

from datetime import timedelta
from typing import Any

from models.errors import Conflict, IllegalTransition
from models.notifications.kinds import NotificationKind
from models.notifications.notify import notify, reporter, responsible
from models.people.tables import Merchant
from models.sla import tracking as clocks
from models.sla.rulebook import rulebook
from models.surveys.survey import cancel_survey
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import release_if_retired
from models.tickets.lifecycle import TARGET, Status, Transition, allowed_from, is_allowed

_EVENT = {
    Transition.PENDING: "ticket.pending",
    Transition.HOLD: "ticket.held",
    Transition.RESUME: "ticket.resumed",
    Transition.RESOLVE: "ticket.resolved",
    Transition.REOPEN: "ticket.reopened",
    Transition.CLOSE: "ticket.closed",
}


async def transition(ticket: TicketAggregate, wanted: Transition, reason: str | None = None) -> None:
    """Change the status as people say it.

    Raises:
        IllegalTransition: the lifecycle does not have it from here. Conflict: its reporter reopens it too late.
    """
    current = ticket.row.status
    if not is_allowed(wanted, current) or ticket.row.deleted_at is not None:
        raise IllegalTransition(current, wanted, allowed_from(current))
    if wanted is Transition.RESOLVE:
        await _resolve(ticket, reason)
    elif wanted is Transition.REOPEN:
        await _reopen_and_notify(ticket, reason)
    elif wanted is Transition.CLOSE:
        close(ticket, reason)
    else:
        change_status(ticket, TARGET[wanted], _EVENT[wanted], reason=reason)
        clocks.status_changed(ticket, reason or TARGET[wanted])


def change_status(ticket: TicketAggregate, status: Status, event: str, **changes: Any) -> int:
    """The bare change of the status, with its event."""
    before = ticket.set_status(status)
    return ticket.record(event, status=[before, status], **changes)


def close(ticket: TicketAggregate, reason: str | None) -> None:
    end(ticket, "closed", _EVENT[Transition.CLOSE], reason=reason)


def end(ticket: TicketAggregate, why: str, event: str, **changes: Any) -> None:
    """Nothing follows: what was still due does not apply any more."""
    change_status(ticket, Status.CLOSED, event, **changes)
    ticket.row.closed_at = ticket.at
    ticket.row.reopen_until = None
    clocks.cancelled(ticket, why)


async def reopen(ticket: TicketAggregate, reason: str | None) -> int:
    """A resolved ticket is open again; the id of the event.

    Raises:
        Conflict: the reporter comes too late. Staff may reopen it as long as it is not closed.
    """
    if is_too_late(ticket):
        raise Conflict("reopen_window_over", "The ticket was resolved too long ago to be reopened.")
    row = ticket.row
    cause = change_status(ticket, Status.OPEN, _EVENT[Transition.REOPEN], reason=reason)
    row.resolved_at = row.reopen_until = None
    await cancel_survey(ticket)
    clocks.reopened(ticket)
    await release_if_retired(ticket)
    return cause


def is_too_late(ticket: TicketAggregate) -> bool:
    """Whether a reporter comes back later than the merchant's window after the resolution."""
    until = ticket.row.reopen_until
    return ticket.change.by.is_reporter and ticket.row.status is Status.RESOLVED and until is not None and ticket.requested_at > until


async def _reopen_and_notify(ticket: TicketAggregate, reason: str | None) -> None:
    cause = await reopen(ticket, reason)
    if ticket.change.by.is_reporter:
        notify(ticket, NotificationKind.TICKET_REOPENED, cause, await responsible(ticket), reason=reason)


async def _resolve(ticket: TicketAggregate, reason: str | None) -> None:
    merchant = (await rulebook(ticket.session)).merchant
    cause = change_status(ticket, Status.RESOLVED, _EVENT[Transition.RESOLVE], reason=reason)
    ticket.row.resolved_at, ticket.row.waiting_since = ticket.at, None
    ticket.row.resolution_cycle += 1
    _schedule_what_follows(ticket, merchant)
    clocks.resolved(ticket)
    if not ticket.change.by.is_reporter:
        notify(ticket, NotificationKind.TICKET_RESOLVED, cause, await reporter(ticket))


def _schedule_what_follows(ticket: TicketAggregate, merchant: Merchant) -> None:
    """As instants: when the merchant changes the windows, what was resolved before keeps its own."""
    row, policy = ticket.row, ticket.configuration.policy
    survey_after = policy.survey_after_seconds if policy else None
    row.survey_at = ticket.at + timedelta(seconds=merchant.survey_after_seconds if survey_after is None else survey_after)
    row.auto_close_at = ticket.at + timedelta(seconds=merchant.auto_close_after_seconds)
    row.reopen_until = ticket.at + timedelta(seconds=merchant.reopen_within_seconds)


async def auto_close(ticket: TicketAggregate) -> None:
    """A resolved ticket that was not reopened in time."""
    close(ticket, "auto-close")
