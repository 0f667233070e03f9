"""A ticket is opened: row, audit, clocks, notifications and the facts for its workflow, in one transaction."""

from typing import Any

from pydantic import Field

from models.audit import Actor, Change
from models.db.rows import made
from models.db.session import TenantSession
from models.errors import Conflict, Forbidden
from models.notifications.kinds import NotificationKind
from models.notifications.notify import notify, reporter
from models.people.tables import Merchant, Reporter
from models.sla import tracking as clocks
from models.sla.rulebook import Rulebook, pin, rulebook_and_number, traits_of
from models.tickets.aggregate import TicketAggregate
from models.tickets.lifecycle import Channel, Priority, Status
from models.tickets.repository import save
from models.tickets.tables import Ticket
from models.value import Value

_RISING = list(Priority)


class NewTicket(Value):
    """What a person says when opening a ticket. Without a category it gets the merchant's first, without a priority the usual one."""

    subject: str
    description: str
    priority: Priority | None = None
    category: str | None = None
    organizer_id: int | None = None
    channel: Channel = Channel.API
    tags: tuple[str, ...] = ()
    custom_fields: dict[str, Any] = Field(default_factory=dict)


async def open_ticket(
    session: TenantSession, new: NewTicket, opened_for: Reporter, change: Change, *, follow_up_of: int | None = None
) -> Ticket:
    """Open a ticket for ``opened_for``, acknowledged if they opened it themselves: an address that an agent typed is not verified.

    Raises:
        Conflict: the merchant is closed. Invalid: it has no such category. Forbidden: the priority is above what a reporter may give.
    """
    book, number = await rulebook_and_number(session)
    if book.merchant.closed_at is not None:
        raise Conflict("merchant_closed", "The merchant is closed and takes no new ticket; write on one that is open.")
    priority = _priority(new.priority, book.merchant, change.by, follow_up_of)
    row = _new_row(session, new, book, change, priority=priority, number=number, reporter_id=opened_for.id, follow_up_of_id=follow_up_of)
    chosen = book.choose(traits_of(row))
    pin(row, chosen)
    ticket = TicketAggregate(session, row, await book.configuration(session, chosen), change)
    ticket.merchant_slug = book.merchant.slug
    cause = ticket.record("ticket.opened", status=[None, row.status], priority=row.priority, category=row.category)
    clocks.open_clocks(ticket)
    if change.by.is_reporter:
        notify(ticket, NotificationKind.TICKET_RECEIVED, cause, await reporter(ticket))
    session.insert(row)
    await save(ticket)
    return row


async def open_follow_up(session: TenantSession, old: Ticket, body: str, change: Change) -> Ticket:
    """A reporter writes on a ticket that is closed, or not to be reopened any more: a new one begins, linked to it."""
    author = await session.get_one(Reporter, (old.merchant_id, old.reporter_id))
    kept = old.model_dump(include={"priority", "category", "organizer_id", "channel", "tags", "custom_fields"})
    return await open_ticket(session, NewTicket(subject=old.subject, description=body, **kept), author, change, follow_up_of=old.id)


def _priority(wanted: Priority | None, merchant: Merchant, by: Actor, follow_up_of: int | None) -> Priority:
    """As wanted, or normal; of a reporter's ticket up to the merchant's limit. A follow-up keeps what its ticket had."""
    if follow_up_of or not by.is_reporter:
        return wanted or Priority.NORMAL
    limit = merchant.reporter_priority_limit
    if wanted is not None and _RISING.index(wanted) > _RISING.index(limit):
        raise Forbidden(f"A reporter's ticket has at most the priority {limit}: leave it out, or ask the staff.")
    return wanted or min(Priority.NORMAL, limit, key=_RISING.index)


def _new_row(session: TenantSession, new: NewTicket, book: Rulebook, change: Change, **columns: Any) -> Ticket:
    category = book.category(new.category, "/category")
    return made(
        Ticket,
        merchant_id=session.merchant_id,
        id=session.new_id(),
        **columns,
        status=Status.NEW,
        category=category,
        team_id=book.categories[category] if category else None,
        tags=sorted(set(new.tags)),
        created_at=change.at,
        updated_at=change.at,
        public_updated_at=change.at,
        **new.model_dump(include={"subject", "description", "organizer_id", "channel", "custom_fields"}),
    )
