"""The ticket's state, moved by the lifecycle table, with its clocks and what follows after resolving."""

from datetime import timedelta

from models.operations import clocks
from models.operations.case import Case
from models.operations.errors import IllegalMove
from models.operations.notify import reporter, tell
from models.operations.rulebook import rulebook
from models.operations.survey import cancel_survey
from models.policy.lifecycle import TARGET, UNFINISHED, Move, allowed_from, is_allowed
from models.policy.notification import NotificationKind

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
        IllegalMove: the lifecycle has no such move from here.
    """
    current = case.ticket.status
    if not is_allowed(wanted, current) or case.ticket.deleted_at is not None:
        raise IllegalMove(current, wanted, allowed_from(current))
    if wanted is Move.RESOLVE:
        await _resolve(case, reason)
    elif wanted is Move.REOPEN:
        await _reopen(case, reason)
    elif wanted is Move.CLOSE:
        close(case, reason)
    else:
        _enter(case, wanted, reason)
        clocks.followed(case, reason or TARGET[wanted])


def close(case: Case, reason: str | None) -> None:
    """The end: whatever was still promised does not apply any more."""
    _free_capacity(case)
    _enter(case, Move.CLOSE, reason)
    case.ticket.closed_at = case.at
    case.ticket.survey_at = case.ticket.auto_close_at = None
    clocks.cancelled(case, "closed")


async def _resolve(case: Case, reason: str | None) -> None:
    ticket, policy = case.ticket, case.rules.policy
    merchant = (await rulebook(case.session)).merchant
    _free_capacity(case)
    cause = _enter(case, Move.RESOLVE, reason)
    ticket.resolved_at, ticket.asked_at = case.at, None
    ticket.resolution_cycle += 1
    survey_after = policy.survey_after_seconds if policy else None
    ticket.survey_at = case.at + timedelta(seconds=merchant.survey_after_seconds if survey_after is None else survey_after)
    ticket.auto_close_at = case.at + timedelta(seconds=merchant.auto_close_after_seconds)
    clocks.resolved(case)
    if not case.change.by.is_reporter:
        tell(case, NotificationKind.TICKET_RESOLVED, cause, await reporter(case))


async def _reopen(case: Case, reason: str | None) -> None:
    ticket = case.ticket
    _enter(case, Move.REOPEN, reason)
    ticket.resolved_at = ticket.survey_at = ticket.auto_close_at = None
    await cancel_survey(case)
    clocks.reopened(case)


def _enter(case: Case, wanted: Move, reason: str | None) -> int:
    before, case.ticket.status = case.ticket.status, TARGET[wanted]
    return case.record(_EVENT[wanted], status=[before, case.ticket.status], reason=reason)


def _free_capacity(case: Case) -> None:
    if case.ticket.assignee_id is not None and case.ticket.status in UNFINISHED:
        case.freed_team_id = case.ticket.team_id
