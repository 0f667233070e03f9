"""A new link to the portal, sent to the reporter's own address and shown to nobody."""

from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import col

from models.notifications.kinds import NotificationKind
from models.notifications.notify import notify, reporter
from models.notifications.tables import Notification
from models.tickets.aggregate import TicketAggregate

SENT_EVERY = timedelta(minutes=15)
"""At most, for one ticket: the button is there for everybody who holds an old link."""


async def renew_link(ticket: TicketAggregate, generation: int) -> None:
    """Send a link that takes the place of those before it. Nothing happens without an address, or soon after the last one.

    ``generation`` is that of the link by which it is asked for. An older one gets a new link sent, but ends none: what leaked once would
    else shut the reporter out again and again.
    """
    people = [person for person in await reporter(ticket) if person.address]
    if not people or await _was_sent_just_now(ticket):
        return
    if generation == ticket.row.link_generation:
        ticket.row.link_generation += 1
    notify(ticket, NotificationKind.PORTAL_LINK, ticket.record("ticket.link_renewed"), people)


async def _was_sent_just_now(ticket: TicketAggregate) -> bool:
    sent = sa.select(col(Notification.id)).where(
        col(Notification.merchant_id) == ticket.row.merchant_id,
        col(Notification.ticket_id) == ticket.row.id,
        col(Notification.kind) == NotificationKind.PORTAL_LINK,
        col(Notification.created_at) > ticket.at - SENT_EVERY,
    )
    return (await ticket.session.execute(sent.limit(1))).first() is not None
