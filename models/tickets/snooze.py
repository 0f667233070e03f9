"""A snooze: a hold with an end. The ticket's workflow waits for it like for any other deadline, and wakes the ticket."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from models.errors import IllegalMove, Invalid
from models.notifications.kinds import NotificationKind
from models.notifications.notify import responsible, tell
from models.sla import tracking as clocks
from models.sla.tables import LedgerEntry
from models.tickets.aggregate import Case
from models.tickets.lifecycle import Status, allowed_from, may_snooze
from models.tickets.transitions import enter

AT_MOST_AHEAD = timedelta(days=366)


def snooze(case: Case, until: datetime) -> None:
    """Hold the ticket until an instant; one that is held already only gets that end, or another one.

    Raises:
        Invalid: ``until`` is not ahead, or too far. IllegalMove: the lifecycle has no hold from here.
    """
    if until <= case.asked_at:
        raise Invalid("not_in_the_future", "A snooze ends in the future.", "/until")
    if until > case.asked_at + AT_MOST_AHEAD:
        raise Invalid("too_far_ahead", f"A snooze ends within {AT_MOST_AHEAD.days} days.", "/until")
    if not may_snooze(case.ticket.status):
        raise IllegalMove(case.ticket.status, "snooze", allowed_from(case.ticket.status))
    if case.ticket.snoozed_until != until:
        _put_aside(case, until)


async def wake(case: Case) -> None:
    """Its time has come: the ticket is open again and whoever has it is told; the lead, if nobody has. Its clocks go on from that time."""
    until = case.ticket.snoozed_until
    cause = enter(case, Status.OPEN, "ticket.woken")
    clocks.followed(case, "woken", until and max(until, await _last_turn(case)))
    tell(case, NotificationKind.TICKET_WOKEN, cause, await responsible(case), dueAt=until.isoformat() if until else None)


async def _last_turn(case: Case) -> datetime:
    """A late wake moves no promise, but the ledger goes forward only: a clock may have been timed anew meanwhile."""
    last = sa.select(sa.func.coalesce(sa.func.max(col(LedgerEntry.at)), case.ticket.created_at)).where(
        col(LedgerEntry.merchant_id) == case.ticket.merchant_id, col(LedgerEntry.ticket_id) == case.ticket.id
    )
    return (await case.session.execute(last)).scalar_one()


def _put_aside(case: Case, until: datetime) -> None:
    case.ticket.snoozed_until = until
    if case.ticket.status is Status.ON_HOLD:
        case.record("ticket.snoozed", until=until.isoformat())
    else:
        enter(case, Status.ON_HOLD, "ticket.snoozed", until=until.isoformat())
        clocks.followed(case, "snoozed")
