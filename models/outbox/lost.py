"""What was lost, over all merchants: nothing waits in the outbox for what has been due for too long.

It is claimed before it is sent again, and what was claimed is left alone for a while, twice as long each time: tickets that can't be acted
on are neither signalled every minute, nor do they hide those that can.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.outbox.tables import Topic

CLAIMED_AT_ONCE = 20


class Loss(NamedTuple):
    """Rows of ``table`` that are ``open`` and whose instant ``due`` is more than ``overdue`` ago."""

    topic: Topic
    table: str
    due: str
    open: str
    overdue: timedelta


LOST_TICKETS = Loss(Topic.TICKET, "ticket", "next_deadline_at", "deleted_at IS NULL", timedelta(minutes=2))
"""A deadline that is later than any retry of a healthy server."""
LOST_NOTIFICATIONS = Loss(Topic.DELIVERY, "notification", "posted_at", "status = 'pending'", timedelta(hours=3))
"""Longer than its five tries take."""
LOST_JOBS = Loss(Topic.JOB, "job", "updated_at", "status = 'running'", timedelta(minutes=10))
LOSSES = (LOST_TICKETS, LOST_NOTIFICATIONS, LOST_JOBS)

# What is lost for the first time comes first, of each merchant its oldest: one merchant's flood does not hide another's single ticket. The
# pause grows from two minutes to about an hour.
_CLAIM = """
    INSERT INTO healing AS known (merchant_id, topic, id, attempts, since, next_at)
    SELECT lost.merchant_id, '{topic}', lost.id, 1, lost.{due}, CAST(:at AS timestamptz) + interval '2 minutes'
    FROM "{table}" AS lost LEFT JOIN healing ON (healing.merchant_id, healing.topic, healing.id) = (lost.merchant_id, '{topic}', lost.id)
    WHERE lost.{due} < :before AND lost.{open} AND (healing.next_at IS NULL OR healing.next_at <= :at)
        AND lost.merchant_id <> ALL (CAST(:busy AS bigint[]))
        AND NOT EXISTS (SELECT FROM outbox WHERE outbox.merchant_id = lost.merchant_id AND outbox.key = '{table}-' || lost.id)
    ORDER BY coalesce(healing.attempts, 0),
        row_number() OVER (PARTITION BY lost.merchant_id ORDER BY coalesce(healing.attempts, 0), lost.{due}), lost.{due}
    LIMIT :at_once
    ON CONFLICT (merchant_id, topic, id) DO UPDATE SET attempts = known.attempts + 1,
        next_at = CAST(:at AS timestamptz) + interval '1 minute' * 2 ^ least(known.attempts + 1, 6)
    RETURNING merchant_id, id
"""
_HAND_BACK = sa.text("""
    UPDATE healing SET attempts = attempts - 1, next_at = :at FROM unnest(CAST(:merchants AS bigint[]), CAST(:ids AS bigint[]))
        AS untried (merchant_id, id)
    WHERE (healing.merchant_id, healing.topic, healing.id) = (untried.merchant_id, :topic, untried.id)
""")
_FORGET = """
    DELETE FROM healing WHERE topic = '{topic}' AND NOT EXISTS (SELECT FROM "{table}" AS lost
        WHERE (lost.merchant_id, lost.id) = (healing.merchant_id, healing.id) AND lost.{due} < :before AND lost.{open})
"""
_STUCK = sa.text("""
    SELECT count(*), CAST(coalesce(extract(epoch FROM CAST(:at AS timestamptz) - min(since)), 0) AS bigint) FROM healing WHERE attempts > 0
""")
Lost = tuple[int, int]
"""Merchant and id."""


async def claim_lost(connection: AsyncConnection, loss: Loss, at: datetime, busy: Collection[int] = ()) -> Sequence[Lost]:
    """Some that are to be sent again now; none of the merchants that are ``busy``."""
    values = {"at": at, "before": at - loss.overdue, "at_once": CLAIMED_AT_ONCE, "busy": list(busy)}
    return [(merchant_id, id_) for merchant_id, id_ in await connection.execute(_said_of(_CLAIM, loss), values)]


async def hand_back(connection: AsyncConnection, loss: Loss, at: datetime, untried: Collection[Lost]) -> None:
    """What was claimed and not tried is due at once, as if it had not been claimed."""
    merchants, ids = zip(*untried, strict=True)
    await connection.execute(_HAND_BACK, {"topic": loss.topic, "at": at, "merchants": list(merchants), "ids": list(ids)})


async def stuck(connection: AsyncConnection, at: datetime) -> tuple[int, int]:
    """Of what was sent again earlier: how much is still not acted on, and for how many seconds the oldest has been due."""
    for loss in LOSSES:
        await connection.execute(_said_of(_FORGET, loss), {"before": at - loss.overdue})
    count, seconds = (await connection.execute(_STUCK, {"at": at})).one()
    return count, seconds


def _said_of(statement: str, loss: Loss) -> sa.TextClause:
    return sa.text(statement.format(**loss._asdict()))
