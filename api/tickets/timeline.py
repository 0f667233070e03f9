"""A ticket's clocks as of now, and their ledger, read as segments of time, a page of its rows at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col

from api.http.pagination import Order
from api.tickets.responses import CycleResponse, SegmentResponse, WhoResponse
from models.db.session import TenantSession
from models.sla.calendar import Calendar, elapsed
from models.sla.clock import settle, used
from models.sla.tables import LedgerEntry, SlaClock, clock_of
from models.tickets.tables import Ticket
from models.tickets.visibility import of_ticket

IN_ORDER = Order(LedgerEntry.at, LedgerEntry.id)
"""Not by id alone: each process has its own block of ids, and the later row may have the smaller one."""


def cycle(row: SlaClock, now: datetime, calendar: Calendar | None) -> CycleResponse:
    clock = settle(clock_of(row), now)  # a breach is one from its instant on, also before the worker has acted on it
    target = int(clock.target.total_seconds())
    seconds = int((used(clock, now, calendar) if calendar else clock.spent).total_seconds())
    return CycleResponse(
        **clock.model_dump(include={"metric", "cycle", "started_at", "due_at", "paused_at", "breached_at", "stopped_at"}),
        status=clock.status,
        policy_id=row.policy_id,
        policy_version=row.policy_version,
        target_seconds=target,
        elapsed_seconds=seconds,
        remaining_seconds=target - seconds,
    )


async def next_of_each_clock(session: TenantSession, ticket: Ticket, page: Sequence[LedgerEntry]) -> Sequence[LedgerEntry]:
    """Where the segments end that a page of rows leaves open: the first row after it of each of its clocks."""
    if not page:
        return ()
    clock, place = (col(LedgerEntry.metric), col(LedgerEntry.cycle)), (col(LedgerEntry.at), col(LedgerEntry.id))
    is_later = sa.tuple_(*place) > sa.tuple_(sa.literal(page[-1].at, sa.DateTime(timezone=True)), sa.literal(page[-1].id, sa.BigInteger()))
    of_page = sa.tuple_(*clock).in_({(entry.metric, entry.cycle) for entry in page})
    later = of_ticket(LedgerEntry, ticket).where(is_later, of_page).ext(distinct_on(*clock)).order_by(*clock, *place)
    return (await session.execute(later)).scalars().all()


def segments(page: Sequence[LedgerEntry], later: Sequence[LedgerEntry], calendar: Calendar | None, now: datetime) -> list[SegmentResponse]:
    """With each row begins a segment, in which its clock ran or stood still up to the clock's next row, or to ``now`` if it is live."""
    following = {(entry.metric, entry.cycle): entry for entry in later}
    found = []
    for entry in reversed(page):
        found.append(_begun_with(entry, following.get((entry.metric, entry.cycle)), calendar, now))
        following[entry.metric, entry.cycle] = entry
    return [segment for segment in reversed(found) if segment is not None]


def _begun_with(entry: LedgerEntry, after: LedgerEntry | None, calendar: Calendar | None, now: datetime) -> SegmentResponse | None:
    if after is not None:
        return _segment(entry, after.at, _spent_between(entry, after))
    if entry.kind in ("stopped", "cancelled"):
        return None
    return _segment(entry, None, elapsed(calendar, entry.at, now) if entry.is_running and calendar else timedelta())


def _spent_between(before: LedgerEntry, after: LedgerEntry) -> timedelta:
    """A clock that stood still spent nothing, also when it begins again with nothing spent."""
    return after.spent - before.spent if before.is_running else timedelta()


def _segment(entry: LedgerEntry, to: datetime | None, business: timedelta) -> SegmentResponse:
    return SegmentResponse(
        **entry.model_dump(include={"metric", "cycle", "kind", "reason", "due_at", "policy_id", "policy_version", "calendar_version"}),
        state="running" if entry.is_running else "paused",
        actor=WhoResponse(kind=entry.actor_kind, id=entry.actor_id),
        from_=entry.at,
        to=to,
        seconds=business.total_seconds(),
        target_seconds=int(entry.target.total_seconds()),
    )
