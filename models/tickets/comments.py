"""What is said on a ticket: public replies, and notes among those who work on it."""

from models.errors import Conflict, IllegalMove
from models.notifications.kinds import NotificationKind
from models.notifications.notify import agents, reporter, tell
from models.sla import tracking as clocks
from models.tickets.aggregate import Case
from models.tickets.lifecycle import REOPENED_BY_REPORTER, Move, Status, allowed_from, move_to
from models.tickets.tables import Message, MessageKind
from models.tickets.transitions import is_too_late, move, reopen


async def reply(case: Case, body: str, then: Status | None = None) -> Message:
    """A public message. An agent's meets the response clocks; a reporter's reopens what waited for him. ``then`` moves the ticket after it.

    Raises:
        Conflict: the ticket is closed, or was resolved too long ago for its reporter to reopen it (his message opens a follow-up
            instead: see :func:`needs_follow_up` and :mod:`models.tickets.open`).
    """
    if case.ticket.status is Status.CLOSED:
        raise Conflict("ticket_is_closed", "The ticket is closed.")
    message = _write(case, MessageKind.REPLY, body)
    cause = case.record("ticket.replied", messageId=str(message.id))
    if case.change.by.is_reporter:
        await _by_reporter(case, cause, message)
    else:
        await _by_agent(case, cause, message)
    if then is not None and then is not case.ticket.status:
        await _move_to(case, then)
    return message


def needs_follow_up(case: Case) -> bool:
    """Whether a message of the reporter comes too late for this ticket."""
    return case.change.by.is_reporter and (case.ticket.status is Status.CLOSED or is_too_late(case))


async def note(case: Case, body: str) -> Message:
    """An internal note: no clock and no timer depends on it, and no reporter ever sees it."""
    message = _write(case, MessageKind.NOTE, body)
    cause = case.record("ticket.noted", messageId=str(message.id))
    tell(case, NotificationKind.NOTE_ADDED, cause, await agents(case, case.ticket.assignee_id), messageId=message.id)
    return message


async def _move_to(case: Case, wanted: Status) -> None:
    verb = move_to(wanted, case.ticket.status)
    if verb is None:
        raise IllegalMove(case.ticket.status, wanted, allowed_from(case.ticket.status))
    await move(case, verb)


async def _by_agent(case: Case, cause: int, message: Message) -> None:
    case.ticket.first_responded_at, case.ticket.asked_at = case.ticket.first_responded_at or case.at, None
    clocks.answered(case)
    if case.ticket.status is Status.NEW:
        case.ticket.status = Status.OPEN
        case.record("ticket.opened_by_reply", status=[Status.NEW, Status.OPEN])
        clocks.followed(case, "public reply")
    tell(case, NotificationKind.REPLY_TO_REPORTER, cause, await reporter(case), messageId=message.id)


async def _by_reporter(case: Case, cause: int, message: Message) -> None:
    if case.ticket.status in REOPENED_BY_REPORTER:
        await _come_back(case, "reporter's reply")
    case.ticket.asked_at = case.ticket.asked_at or case.at
    clocks.asked(case)
    tell(case, NotificationKind.REPLY_TO_AGENT, cause, await agents(case, case.ticket.assignee_id), messageId=message.id)


async def _come_back(case: Case, reason: str) -> None:
    """The letter about the reply says it all: none is written about the move."""
    if case.ticket.status is Status.RESOLVED:
        await reopen(case, reason)
    else:
        await move(case, Move.RESUME, reason)


def _write(case: Case, kind: MessageKind, body: str) -> Message:
    by = case.change.by
    message = Message(
        merchant_id=case.ticket.merchant_id,
        id=case.session.new_id(),
        ticket_id=case.ticket.id,
        kind=kind,
        author_kind=by.kind,
        author_id=by.id,
        author_name=by.name,
        body=body,
        created_at=case.at,
    )
    case.session.insert(message)
    return message
