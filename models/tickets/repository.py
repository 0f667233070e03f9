"""The one way to change a ticket: lock it, let verbs change it, save it; all in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.db.prepared import Asked, Prepared
from models.db.session import TenantSession, locked
from models.errors import NotFound
from models.notifications.cancel import cancel_pointless
from models.notifications.notify import notify_of_clocks
from models.outbox import post as outbox
from models.people.slugs import slug_of
from models.sla.attribution import attribution
from models.sla.clock import ClockStatus
from models.sla.clocks import Clocks
from models.sla.policy import Metric
from models.sla.rulebook import configuration_of
from models.sla.run_due import drop_stale_instants
from models.sla.tables import Escalation, SlaClock, clock_of
from models.tickets.aggregate import Loaded, TicketAggregate
from models.tickets.assign import assign_automatically, hold_teams, working
from models.tickets.facts import facts_of
from models.tickets.messages import TicketFacts
from models.tickets.tables import Ticket

PICKED_UP_AT_ONCE = 20
PAGES = 10
_SEVERITY = (ClockStatus.BREACHED, ClockStatus.IMMINENT, ClockStatus.RUNNING, ClockStatus.PAUSED, ClockStatus.ACHIEVED)
log = structlog.get_logger()
_T = TypeVar("_T", SlaClock, Escalation)


def _rows_of(table: type[_T]) -> Select[_T]:
    these = col(table.ticket_id) == sa.any_(sa.bindparam("tickets", type_=ARRAY(sa.BigInteger)))
    return sa.select(table).where(col(table.merchant_id) == sa.bindparam("merchant"), these)


# Made once: these stand in the way of every change.
_CYCLE = (col(SlaClock.ticket_id), col(SlaClock.metric))
_CLOCKS = Prepared(_rows_of(SlaClock).ext(distinct_on(*_CYCLE)).order_by(*_CYCLE, col(SlaClock.cycle).desc()))
_ESCALATIONS = Prepared(_rows_of(Escalation).order_by(col(Escalation.id)))
_PASSED = sa.bindparam("passed", type_=ARRAY(sa.BigInteger)), sa.bindparam("categories", type_=ARRAY(sa.Text))
_LEFT = (col(Ticket.id) != sa.all_(_PASSED[0])) & (sa.func.coalesce(Ticket.category, "") != sa.all_(_PASSED[1]))
_QUEUE = sa.select(Ticket).where(col(Ticket.team_id) == sa.bindparam("team"), col(Ticket.is_queued), working(), _LEFT)
_WAITING = Prepared(
    locked(_QUEUE.order_by(col(Ticket.urgency).desc(), col(Ticket.created_at), col(Ticket.id)).limit(PICKED_UP_AT_ONCE), skip_locked=True)
)
_WITH_ID = Prepared(locked(sa.select(Ticket).where(col(Ticket.id) == sa.bindparam("ticket"))))


def with_id(ticket_id: int) -> Asked[Ticket]:
    """One ticket of the merchant, to be locked, also a deleted one: for what asks on behalf of no viewer."""
    return Asked(_WITH_ID, {"ticket": ticket_id})


async def lock(session: TenantSession, ticket: Select[Ticket] | Asked[Ticket, *tuple[Any, ...]], change: Change) -> TicketAggregate:
    """Lock the one ticket that ``ticket`` selects, or asks for :func:`locked`.

    Raises:
        NotFound: ``ticket`` finds nothing.
    """
    held = ticket if isinstance(ticket, Asked) else locked(ticket, of=Ticket)
    row = (await session.execute(held)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return (await load(session, [row], change))[0]


async def lock_both(session: TenantSession, tickets: Select[Ticket], ids: tuple[int, int], change: Change) -> list[TicketAggregate]:
    """Lock two of ``tickets`` at once; returned in the order of ``ids``.

    Raises:
        NotFound: ``tickets`` does not select both.
    """
    found = {ticket.row.id: ticket for ticket in await lock_all(session, tickets.where(col(Ticket.id).in_(ids)), change)}
    if found.keys() != set(ids):
        raise NotFound
    return [found[ticket_id] for ticket_id in ids]


async def lock_all(session: TenantSession, tickets: Select[Ticket], change: Change) -> list[TicketAggregate]:
    """Several tickets, in the order of their ids: of two who lock some of the same, neither waits in a circle."""
    in_order = locked(tickets.order_by(col(Ticket.id)), of=Ticket)
    return await load(session, list((await session.execute(in_order)).scalars()), change)


async def load(session: TenantSession, rows: Sequence[Ticket], change: Change) -> list[TicketAggregate]:
    """All that decides what happens next to the tickets; read for all of them at once."""
    clocks = await _newest_clocks(session, rows)
    escalations = await _escalations(session, [row for row in rows if row.escalation_level])
    slug = await slug_of(session)
    return [await _assembled(session, row, clocks[row.id], escalations[row.id], change, slug) for row in rows]


async def _assembled(  # noqa: PLR0913, PLR0917 - what was read of one ticket
    session: TenantSession, row: Ticket, clocks: list[SlaClock], escalations: list[Escalation], change: Change, slug: str
) -> TicketAggregate:
    ticket = TicketAggregate(session, row, await configuration_of(session, row), change)
    ticket.clock_rows, ticket.escalations, ticket.merchant_slug = clocks, escalations, slug
    ticket.clocks = Clocks((clock_of(clock) for clock in clocks), ticket.configuration)
    ticket.known = facts_of(ticket)
    return ticket


async def save(*tickets: TicketAggregate) -> None:
    """Write what changed, once for each lock; where the facts changed, the ticket's workflow hears of it through the outbox."""
    for ticket in tickets:
        known = ticket.known
        if (facts := _bring_up_to_date(ticket)) is not known:
            outbox.post_facts(ticket.session, facts, ticket.change)
    await _write(*tickets)


async def save_for_workflow(ticket: TicketAggregate) -> TicketFacts:
    """Save on behalf of the ticket's own workflow: it takes the facts as its activity's result, so no signal is owed.

    They name the request still that the workflow goes by: what follows from them can be found by its id.
    """
    facts = _bring_up_to_date(ticket)
    await _write(ticket)
    return facts.model_copy(update={"nobody_free": ticket.nobody_free, "request_id": ticket.change.request_id})


def _bring_up_to_date(ticket: TicketAggregate) -> TicketFacts:
    """Bring the rows up to what happened, and return the facts. They get a new version only when time is concerned."""
    if ticket.is_saved:
        raise RuntimeError("a lock is good for one save: lock the ticket again")
    ticket.is_saved = True
    if ticket.events:
        drop_stale_instants(ticket)
        _write_clocks(ticket)
        _summarise_clocks(ticket)
        if ticket.is_seen_by_reporter:
            ticket.row.public_version += 1
            ticket.row.public_updated_at = ticket.at
        ticket.row.version += 1
        ticket.row.updated_at = ticket.at
    facts = facts_of(ticket)
    if facts == ticket.known:
        return ticket.known
    ticket.row.facts_version = max(ticket.row.version, ticket.row.facts_version + 1)
    ticket.row.next_deadline_at = facts.deadlines[0].due_at if facts.deadlines else None
    ticket.known = facts.model_copy(update={"version": ticket.row.facts_version})
    return ticket.known


def worst(statuses: Sequence[ClockStatus]) -> ClockStatus | None:
    """The status of a ticket: that of the clock which needs attention most."""
    return next((status for status in _SEVERITY if status in statuses), None)


def _write_clocks(ticket: TicketAggregate) -> None:
    at, rows = ticket.turn_at, {(row.metric, row.cycle): row for row in ticket.clock_rows}
    for key, clock in ticket.clocks.by_key.items():
        row = rows.get(key)
        columns = clock.model_dump() | attribution(clock, at, ticket.loaded, row.attributed_at if row else None)
        if row is None or not (row.stopped_at or row.cancelled_at):  # what was over keeps the policy under which it ended
            columns |= {"policy_id": ticket.row.policy_id, "policy_version": ticket.row.policy_version}
        if row is None:
            ticket.session.append(SlaClock, merchant_id=ticket.row.merchant_id, ticket_id=ticket.row.id, **columns)
        else:
            row.sqlmodel_update({name: value for name, value in columns.items() if getattr(row, name) != value})


def _summarise_clocks(ticket: TicketAggregate) -> None:
    live = ticket.clocks.live()
    latest = [clock for metric in Metric if (clock := ticket.clocks.latest(metric))]
    ticket.row.sla_status = worst([clock.status for clock in live] or [clock.status for clock in latest])
    due = [clock.due_at for clock in live if clock.is_running and clock.due_at and not clock.breached_at]
    ticket.row.next_due_at = min(due, default=None)


async def _write(*tickets: TicketAggregate) -> None:
    """All of them first: a ticket that is picked up may be one of these, for its lock is our own, and it is loaded anew."""
    for ticket in tickets:
        await notify_of_clocks(ticket)
    await tickets[0].session.write()
    for ticket in tickets:
        await cancel_pointless(ticket)
    for ticket, team_id in [(ticket, _freed_team(ticket)) for ticket in tickets]:  # all judged before the first is picked up
        if team_id is not None:
            await pick_up_waiting(ticket.session, team_id, ticket.change)


def _freed_team(ticket: TicketAggregate) -> int | None:
    """The team in which an agent has room by this change."""
    loaded, now = ticket.loaded, Loaded.of(ticket.row)
    return loaded.team_id if loaded.holder_id not in (None, now.holder_id) else None


async def pick_up_waiting(session: TenantSession, team_id: int, change: Change) -> None:
    """An agent has room: give them what waits in the team's queue, the most urgent and then the oldest first.

    A ticket that is being changed right now is skipped: the next agent who has room, or the reconciliation, picks it up. Behind tickets
    that can't be read, and those whose skills nobody has who is free, it looks further, for PAGES pages.
    """
    await hold_teams(session, team_id)
    passed = Passed([], set())
    for _ in range(PAGES):
        waiting = await _waiting(session, team_id, passed)
        if await _assign_each(session, waiting, change.model_copy(update={"by": SYSTEM}), passed) or len(waiting) < PICKED_UP_AT_ONCE:
            return
        passed.ids.extend(row.id for row in waiting)


class Passed(NamedTuple):
    """What of the queue is not looked at again: tickets, and categories whose skills nobody has who is free."""

    ids: list[int]
    categories: set[str]


async def _assign_each(session: TenantSession, waiting: Sequence[Ticket], change: Change, passed: Passed) -> bool:
    """Assign until no agent has room; return whether some were assigned, or none has room."""
    has_assigned = False
    for row in waiting:
        ticket = None if row.category in passed.categories else await _load_if_readable(session, row, change)
        if ticket is None:
            continue
        if await assign_automatically(ticket) is not None:
            has_assigned = True
            await save(ticket)
        elif row.category and ticket.nobody_free and ticket.nobody_free.unskilled:
            passed.categories.add(row.category)
        else:
            return True
    return has_assigned


async def _load_if_readable(session: TenantSession, row: Ticket, change: Change) -> TicketAggregate | None:
    """A ticket whose SLA configuration can't be read spoils only itself: the change that gave an agent room is another ticket's."""
    try:
        return (await load(session, [row], change))[0]
    except (LookupError, ValueError, TypeError, AssertionError) as error:  # none of the database's: those end the transaction
        log.exception("ticket.unreadable", merchant_id=row.merchant_id, ticket_id=row.id, error=type(error).__name__)
        return None


async def _waiting(session: TenantSession, team_id: int, passed: Passed) -> Sequence[Ticket]:
    asked = {"team": team_id, "passed": passed.ids, "categories": sorted(passed.categories)}
    return (await session.execute(_WAITING, asked)).scalars().all()


async def _newest_clocks(session: TenantSession, tickets: Sequence[Ticket]) -> Mapping[int, list[SlaClock]]:
    """The newest cycle of each metric: the older ones are over, however many they are."""
    return _by_ticket((await session.execute(_CLOCKS, _of(session, tickets))).scalars() if tickets else ())


async def _escalations(session: TenantSession, tickets: Sequence[Ticket]) -> Mapping[int, list[Escalation]]:
    return _by_ticket((await session.execute(_ESCALATIONS, _of(session, tickets))).scalars() if tickets else ())


def _of(session: TenantSession, tickets: Sequence[Ticket]) -> dict[str, Any]:
    return {"merchant": session.merchant_id, "tickets": [ticket.id for ticket in tickets]}


def _by_ticket(rows: Iterable[_T]) -> Mapping[int, list[_T]]:
    of_ticket: dict[int, list[_T]] = defaultdict(list)
    for row in rows:
        of_ticket[row.ticket_id].append(row)
    return of_ticket
