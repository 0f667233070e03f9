"""What has not left and has become pointless is cancelled, in the transaction of the change that made it so."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.db.session import locked
from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import DeliveryAttempt, Notification, RecipientKind
from models.tickets.aggregate import Recorded, TicketAggregate

_RUNGS = (NotificationKind.ESCALATED, NotificationKind.ESCALATION_NO_TARGET)
_URGES = (NotificationKind.SLA_WARNING, NotificationKind.SLA_BREACHED, *_RUNGS)
"""They ask somebody to act."""
_digest = aliased(Notification)


async def cancel_pointless(ticket: TicketAggregate) -> None:
    """Of a deleted ticket all; of one that ended what urged somebody to act; of an acknowledged rung what its agents were to be told. What
    was held back and waits for its digest is left out of that.

    It comes after the ticket's write, so that it finds what the same change has written. An attempt that is under way goes on.
    """
    pointless = [condition for event in ticket.events for condition in _pointless(ticket, event)]
    if not pointless:
        return
    waits = (col(Notification.ticket_id) == ticket.row.id) & (_is_pending(Notification) | _is_to_be_listed())
    is_digest = col(Notification.kind) == NotificationKind.DIGEST  # about other tickets, too
    waiting = sa.select(col(Notification.id)).where(waits, ~is_digest, sa.or_(*pointless))
    # First the locks, then a look at the attempts: one that began meanwhile had to hold the row.
    if ids := (await ticket.session.execute(locked(waiting))).scalars().all():
        await ticket.session.execute(
            sa.update(Notification)
            .where(col(Notification.id).in_(ids), ~_is_under_way())
            .values(status=NotificationStatus.CANCELLED, settled_at=sa.func.now())
            .execution_options(synchronize_session=False)
        )


def _pointless(ticket: TicketAggregate, event: Recorded) -> Iterable[sa.ColumnElement[bool]]:
    match event.kind:
        case "ticket.deleted":
            yield sa.true()
        case "ticket.closed":
            yield _earlier(ticket, _URGES)
        case "ticket.merged":
            yield _earlier(ticket, (*_URGES, NotificationKind.SURVEY))
        case "escalation.acknowledged":
            yield _up_to(event)


def _earlier(ticket: TicketAggregate, kinds: Sequence[NotificationKind]) -> sa.ColumnElement[bool]:
    """Those of the kinds that this change has not caused itself."""
    return col(Notification.kind).in_(kinds) & col(Notification.cause_id).not_in([each.id for each in ticket.events])


def _up_to(acknowledged: Recorded) -> sa.ColumnElement[bool]:
    """The rungs of the metric up to this one. To the reporter it remains news that the ticket was escalated."""
    metric, level = acknowledged.changes["metric"], acknowledged.changes["level"]
    of_metric = col(Notification.context)["metric"].astext.is_not_distinct_from(metric)
    up_to_level = sa.cast(col(Notification.context)["level"].astext, sa.Integer) <= level
    of_agents = col(Notification.kind).in_(_RUNGS) & (col(Notification.recipient_kind) == RecipientKind.AGENT)
    return sa.and_(of_agents, of_metric, up_to_level)


def _is_pending(table: type[Notification]) -> sa.ColumnElement[bool]:
    return col(table.status) == NotificationStatus.PENDING


def _is_to_be_listed() -> sa.ColumnElement[bool]:
    its_digest = (col(_digest.merchant_id) == col(Notification.merchant_id)) & (col(_digest.id) == col(Notification.digest_id))
    waiting = sa.select(_digest).where(its_digest, _is_pending(_digest)).exists()
    return (col(Notification.status) == NotificationStatus.IN_DIGEST) & waiting


def _is_under_way() -> sa.ColumnElement[bool]:
    key = (DeliveryAttempt.merchant_id, DeliveryAttempt.notification_id, DeliveryAttempt.round)
    of_round = sa.tuple_(*map(col, key)) == sa.tuple_(col(Notification.merchant_id), col(Notification.id), col(Notification.round))
    return sa.select(DeliveryAttempt).where(of_round, col(DeliveryAttempt.finished_at).is_(None)).exists()
