"""The ticket's state, moved by the lifecycle table, with its clocks and what follows after resolving."""

from datetime import timedelta
from typing import Any

from models.errors import Conflict, IllegalMove
from models.notifications.kinds import NotificationKind
from models.notifications.notify import reporter, responsible, tell
from models.people.tables import Merchant
from models.sla import tracking as clocks
from models.sla.rulebook import rulebook
from models.surveys.survey import cancel_survey
from models.tickets.aggregate import Case
from models.tickets.lifecycle import TARGET, UNFINISHED, Move, Status, allowed_from, is_allowed

_EVENT = {
    Move.PENDING: "ticket.pending",
    Move.HOLD: "ticket.held",
    Move.RESUME: "ticket.resumed",
    Move.RESOLVE: "ticket.resolved",
    Move.REOPEN: "ticket.reopened",
    Move.CLOSE: "ticket.closed",
}


async def move(case: Case, wanted: Move, reason: str | None = None) -> None:
    """Move the ticket as people say it.

    Raises:
        IllegalMove: the lifecycle has no such move from here. Conflict: its reporter reopens it too late.
    """
    current = case.ticket.status
    if not is_allowed(wanted, current) or case.ticket.deleted_at is not None:
        raise IllegalMove(current, wanted, allowed_from(current))
    if wanted is Move.RESOLVE:
        await _resolve(case, reason)
    elif wanted is Move.REOPEN:
        await _reopen_and_tell(case, reason)
    elif wanted is Move.CLOSE:
        close(case, reason)
    else:
        enter(case, TARGET[wanted], _EVENT[wanted], reason=reason)
        clocks.followed(case, reason or TARGET[wanted])


def enter(case: Case, status: Status, event: str, **changes: Any) -> int:
    """The bare change of state, with its event. Whoever leaves a hold leaves its end behind."""
    before, case.ticket.status = case.ticket.status, status
    if status is not Status.ON_HOLD:
        case.ticket.snoozed_until = None
    return case.record(event, status=[before, status], **changes)


def close(case: Case, reason: str | None) -> None:
    end(case, "closed", _EVENT[Move.CLOSE], reason=reason)


def end(case: Case, why: str, event: str, **changes: Any) -> None:
    """Nothing follows: whatever was still promised does not apply any more."""
    _free_capacity(case)
    enter(case, Status.CLOSED, event, **changes)
    case.ticket.closed_at = case.at
    case.ticket.survey_at = case.ticket.auto_close_at = case.ticket.reopen_until = None
    clocks.cancelled(case, why)


async def reopen(case: Case, reason: str | None) -> int:
    """A resolved ticket is open again; the id of the event.

    Raises:
        Conflict: its reporter comes too late. Staff may reopen it as long as it is not closed.
    """
    if is_too_late(case):
        raise Conflict("reopen_window_over", "The ticket was resolved too long ago to be reopened.")
    ticket = case.ticket
    cause = enter(case, Status.OPEN, _EVENT[Move.REOPEN], reason=reason)
    ticket.resolved_at = ticket.survey_at = ticket.auto_close_at = ticket.reopen_until = None
    await cancel_survey(case)
    clocks.reopened(case)
    return cause


def is_too_late(case: Case) -> bool:
    """Whether the reporter writes on, or reopens, what was resolved longer ago than the merchant's window."""
    until = case.ticket.reopen_until
    return case.change.by.is_reporter and case.ticket.status is Status.RESOLVED and until is not None and case.asked_at > until


async def _reopen_and_tell(case: Case, reason: str | None) -> None:
    cause = await reopen(case, reason)
    if case.change.by.is_reporter:
        tell(case, NotificationKind.TICKET_REOPENED, cause, await responsible(case), reason=reason)


async def _resolve(case: Case, reason: str | None) -> None:
    merchant = (await rulebook(case.session)).merchant
    _free_capacity(case)
    cause = enter(case, Status.RESOLVED, _EVENT[Move.RESOLVE], reason=reason)
    case.ticket.resolved_at, case.ticket.asked_at = case.at, None
    case.ticket.resolution_cycle += 1
    _promise_what_follows(case, merchant)
    clocks.resolved(case)
    if not case.change.by.is_reporter:
        tell(case, NotificationKind.TICKET_RESOLVED, cause, await reporter(case))


def _promise_what_follows(case: Case, merchant: Merchant) -> None:
    """As instants: when the merchant changes his windows, what was resolved before keeps what it was promised."""
    ticket, policy = case.ticket, case.rules.policy
    survey_after = policy.survey_after_seconds if policy else None
    ticket.survey_at = case.at + timedelta(seconds=merchant.survey_after_seconds if survey_after is None else survey_after)
    ticket.auto_close_at = case.at + timedelta(seconds=merchant.auto_close_after_seconds)
    ticket.reopen_until = case.at + timedelta(seconds=merchant.reopen_within_seconds)


def _free_capacity(case: Case) -> None:
    if case.ticket.assignee_id is not None and case.ticket.status in UNFINISHED:
        case.freed_team_id = case.ticket.team_id
