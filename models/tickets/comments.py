"""What is said on a ticket: public replies, and notes among those who work on it."""

from models.db.rows import made
from models.errors import Conflict, IllegalTransition
from models.notifications.kinds import NotificationKind
from models.notifications.notify import agents, notify, reporter
from models.sla import tracking as clocks
from models.tickets.aggregate import REPLIED, TicketAggregate
from models.tickets.lifecycle import REOPENED_BY_REPORTER, Status, Transition, allowed_from, transition_to
from models.tickets.tables import Comment, CommentKind
from models.tickets.transitions import change_status, is_too_late, reopen, transition


async def reply(ticket: TicketAggregate, body: str, then: Status | None = None) -> Comment:
    """A public comment. An agent's stops the response clocks; a reporter's reopens a ticket that waited. ``then`` is the status after it.

    Raises:
        Conflict: the ticket is closed, or was resolved too long ago for its reporter to reopen it (the reply opens a follow-up
            instead: see :func:`needs_follow_up` and :mod:`models.tickets.open`).
    """
    if ticket.row.status is Status.CLOSED:
        raise Conflict("ticket_is_closed", "The ticket is closed.")
    message = _write(ticket, CommentKind.REPLY, body)
    cause = ticket.record(REPLIED, messageId=str(message.id))
    if ticket.change.by.is_reporter:
        await _by_reporter(ticket, cause, message)
    else:
        await _by_agent(ticket, cause, message)
    if then is not None and then is not ticket.row.status:
        await _transition_to(ticket, then)
    return message


def needs_follow_up(ticket: TicketAggregate) -> bool:
    """Whether a reporter's reply comes too late for this ticket."""
    return ticket.change.by.is_reporter and (ticket.row.status is Status.CLOSED or is_too_late(ticket))


async def note(ticket: TicketAggregate, body: str) -> Comment:
    """An internal note: no clock and no timer depends on it, and no reporter ever sees it."""
    message = _write(ticket, CommentKind.NOTE, body)
    cause = ticket.record("ticket.noted", messageId=str(message.id))
    notify(ticket, NotificationKind.NOTE_ADDED, cause, await agents(ticket, ticket.row.assignee_id), messageId=message.id)
    return message


async def _transition_to(ticket: TicketAggregate, wanted: Status) -> None:
    verb = transition_to(wanted, ticket.row.status)
    if verb is None:
        raise IllegalTransition(ticket.row.status, wanted, allowed_from(ticket.row.status))
    await transition(ticket, verb)


async def _by_agent(ticket: TicketAggregate, cause: int, message: Comment) -> None:
    ticket.row.first_responded_at, ticket.row.waiting_since = ticket.row.first_responded_at or ticket.at, None
    clocks.agent_replied(ticket)
    if ticket.row.status is Status.NEW:
        change_status(ticket, Status.OPEN, "ticket.opened_by_reply")
        clocks.status_changed(ticket, "public reply")
    notify(ticket, NotificationKind.REPLY_TO_REPORTER, cause, await reporter(ticket), messageId=message.id)


async def _by_reporter(ticket: TicketAggregate, cause: int, message: Comment) -> None:
    if ticket.row.status in REOPENED_BY_REPORTER:
        await _come_back(ticket, "reporter's reply")
    ticket.row.waiting_since = ticket.row.waiting_since or ticket.at
    clocks.reporter_commented(ticket)
    notify(ticket, NotificationKind.REPLY_TO_AGENT, cause, await agents(ticket, ticket.row.assignee_id), messageId=message.id)


async def _come_back(ticket: TicketAggregate, reason: str) -> None:
    """The notification about the reply says it all: there is none about the transition."""
    if ticket.row.status is Status.RESOLVED:
        await reopen(ticket, reason)
    else:
        await transition(ticket, Transition.RESUME, reason)


def _write(ticket: TicketAggregate, kind: CommentKind, body: str) -> Comment:
    by = ticket.change.by
    message = made(
        Comment,
        merchant_id=ticket.row.merchant_id,
        id=ticket.session.new_id(),
        ticket_id=ticket.row.id,
        kind=kind,
        author_kind=by.kind,
        author_id=by.id,
        author_name=by.name,
        body=body,
        created_at=ticket.at,
    )
    ticket.session.insert(message)
    return message
