"""What a reporter sees of one ticket by its link: the public replies, a page at a time. Never a note."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import col

from models.db.session import TenantSession
from models.errors import NotFound
from models.people.tables import Merchant, Reporter
from models.portal.link import PortalLink
from models.tickets.lifecycle import Status
from models.tickets.tables import Comment, CommentKind, Ticket
from models.tickets.visibility import of_ticket

AT_ONCE = 20
STATUS = {
    Status.NEW: "Received",
    Status.OPEN: "In progress",
    Status.PENDING: "Waiting for your reply",
    Status.ON_HOLD: "On hold",
    Status.RESOLVED: "Resolved",
    Status.CLOSED: "Closed",
}


class Opened(NamedTuple):
    """What a link opened."""

    link: PortalLink
    ticket: Ticket
    reporter: Reporter
    merchant: Merchant


def named_by(link: PortalLink) -> Select[Ticket]:
    """The ticket of a link that no newer one has ended."""
    return not_deleted(link.ticket_id).where(col(Ticket.link_generation) == link.generation)


def not_deleted(ticket_id: int) -> Select[Ticket]:
    return sa.select(Ticket).where(col(Ticket.id) == ticket_id, col(Ticket.deleted_at).is_(None))


async def find(session: TenantSession, link: PortalLink) -> Opened:
    """Raises: NotFound: the ticket is deleted, or the link was replaced."""
    of_it = (col(Reporter.merchant_id) == Ticket.merchant_id) & (col(Reporter.id) == Ticket.reporter_id)
    asked = named_by(link).join(Reporter, of_it).join(Merchant, col(Merchant.id) == Ticket.merchant_id).add_columns(Reporter, Merchant)
    row = (await session.execute(asked)).one_or_none()
    if row is None:
        raise NotFound("request")
    return Opened(link, *row)


async def conversation(session: TenantSession, opened: Opened, before: int | None) -> dict[str, Any]:
    """The newest replies, or those before the one that ``before`` names, oldest first; and from where the earlier ones go on."""
    replies = of_ticket(Comment, opened.ticket).where(col(Comment.kind) == CommentKind.REPLY)
    key = sa.tuple_(col(Comment.created_at), col(Comment.id))
    if before is not None:
        anchor = (await session.execute(replies.where(col(Comment.id) == before))).scalar_one_or_none()
        if anchor is None:
            raise NotFound("reply")
        replies = replies.where(key < sa.tuple_(sa.literal(anchor.created_at), sa.literal(anchor.id)))
    newest_first = replies.order_by(col(Comment.created_at).desc(), col(Comment.id).desc()).limit(AT_ONCE + 1)
    found = (await session.execute(newest_first)).scalars().all()
    shown = found[:AT_ONCE][::-1]
    return {"comments": _shown(opened, shown), "earlier": shown[0].id if len(found) > AT_ONCE else None, "is_newest": before is None}


def _shown(opened: Opened, comments: Sequence[Comment]) -> list[dict[str, Any]]:
    own = ("reporter", opened.reporter.id)
    return [
        {"is_own": (each.author_kind, each.author_id) == own, "author": each.author_name, "body": each.body, "at": each.created_at}
        for each in comments
    ]


async def home_of(session: TenantSession, opened: Opened) -> Ticket | None:
    """The ticket into which this one was merged, if it is the same reporter's and there."""
    if opened.ticket.merged_into_id is None:
        return None
    home = not_deleted(opened.ticket.merged_into_id).where(col(Ticket.reporter_id) == opened.ticket.reporter_id)
    return (await session.execute(home)).scalar_one_or_none()


def opens_another(ticket: Ticket, now: datetime) -> bool:
    """Whether a reply comes too late for this one: see ``needs_follow_up``, which decides."""
    is_too_late = ticket.status is Status.RESOLVED and ticket.reopen_until is not None and now > ticket.reopen_until
    return ticket.status is Status.CLOSED or is_too_late
