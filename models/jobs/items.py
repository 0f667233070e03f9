"""What a job looks at, by id: tickets, notifications or merchants, of those that were there when it began."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import col

from models.db.session import TenantSession
from models.jobs.messages import called
from models.jobs.tables import Job, JobKind
from models.notifications.filter import notifications_of
from models.notifications.tables import Notification
from models.people.merchants import Listed
from models.tickets.filter import tickets_of
from models.tickets.tables import Ticket


async def last_of(session: TenantSession, kind: JobKind) -> dict[str, str]:
    """What bounds the request of a job that begins now: the newest that there is."""
    table: Any = {"merchant": Listed, "notification": Notification}.get(called(kind), Ticket)
    newest = (await session.execute(sa.select(sa.func.max(table.id)))).scalar_one()
    return {f"last{called(kind).title()}Id": str(newest or 0)}


def ids_left(session: TenantSession, kind: JobKind, request: dict[str, Any], cursor: int) -> Select[int]:
    """The ids behind ``cursor``, in their order."""
    match called(kind):
        case "merchant":
            left = (col(Listed.id) > cursor) & (col(Listed.id) <= int(request["lastMerchantId"]))
            return sa.select(col(Listed.id)).where(left).order_by(col(Listed.id))
        case "notification":
            return notifications_of(session, request, cursor).with_only_columns(col(Notification.id))
        case _:
            return tickets_of(session, request, cursor).with_only_columns(col(Ticket.id))


async def next_left(session: TenantSession, job: Job) -> int | None:
    """The id behind the job's cursor; None: it has looked at everything."""
    return (await session.execute(ids_left(session, job.kind, job.request, job.cursor).limit(1))).scalar_one_or_none()
