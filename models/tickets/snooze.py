"""A snooze: a hold with an end. The ticket's workflow waits for it like for any other deadline, and wakes the ticket."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from models.errors import IllegalTransition, Invalid
from models.notifications.kinds import NotificationKind
from models.notifications.notify import notify, responsible
from models.sla import tracking as clocks
from models.sla.tables import LedgerEntry
from models.tickets.aggregate import TicketAggregate
from models.tickets.lifecycle import Status, allowed_from, may_snooze
from models.tickets.transitions import change_status

AT_MOST_AHEAD = timedelta(days=366)


def snooze(ticket: TicketAggregate, until: datetime) -> None:
    """Hold the ticket until an instant; one that is held already only gets that end, or another one.

    Raises:
        Invalid: ``until`` is not ahead, or too far. IllegalTransition: the lifecycle has no hold from here.
    """
    if until <= ticket.requested_at:
        raise Invalid("not_in_the_future", "A snooze ends in the future.", "/until")
    if until > ticket.requested_at + AT_MOST_AHEAD:
        raise Invalid("too_far_ahead", f"A snooze ends within {AT_MOST_AHEAD.days} days.", "/until")
    if not may_snooze(ticket.row.status):
        raise IllegalTransition(ticket.row.status, "snooze", allowed_from(ticket.row.status))
    if ticket.row.snoozed_until != until:
        _put_aside(ticket, until)


async def wake(ticket: TicketAggregate) -> None:
    """The snooze ends: the ticket is open again, its assignee (or the lead) is notified, its clocks go on from that instant."""
    until = ticket.row.snoozed_until
    cause = change_status(ticket, Status.OPEN, "ticket.woken")
    clocks.status_changed(ticket, "woken", until and max(until, await _last_turn(ticket)))
    notify(ticket, NotificationKind.TICKET_WOKEN, cause, await responsible(ticket), dueAt=until.isoformat() if until else None)


async def _last_turn(ticket: TicketAggregate) -> datetime:
    """A late wake moves no target, but the ledger only goes forward: a clock may have been retimed meanwhile."""
    last = sa.select(sa.func.coalesce(sa.func.max(col(LedgerEntry.at)), ticket.row.created_at)).where(
        col(LedgerEntry.merchant_id) == ticket.row.merchant_id, col(LedgerEntry.ticket_id) == ticket.row.id
    )
    return (await ticket.session.execute(last)).scalar_one()


def _put_aside(ticket: TicketAggregate, until: datetime) -> None:
    ticket.row.snoozed_until = until
    if ticket.row.status is Status.ON_HOLD:
        ticket.record("ticket.snoozed", until=until.isoformat())
    else:
        change_status(ticket, Status.ON_HOLD, "ticket.snoozed", until=until.isoformat())
        clocks.status_changed(ticket, "snoozed")
