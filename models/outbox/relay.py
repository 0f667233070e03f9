"""The relay: it sends what the outbox holds to Temporal, at least once, and deletes it only when Temporal has acknowledged it.

For facts it runs in the API's process, triggered after each commit, and in every worker of the queue ``tickets``, where it sweeps up what a
dead process left; for notifications in the workers of their queue. Two relays never have the same row: a row is leased, in a transaction of
its own, so that no writer waits for Temporal. Each statement is a transaction, and one round trip.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
import structlog

from models.db.connection import Connection
from models.db.pool import engine_of
from models.db.prepared import Prepared
from models.outbox.dispatch import BATCH_SECONDS, Dispatched, Dispatcher, OutboxRow
from models.outbox.tables import Topic
from models.platform.metrics import RELAY_FAILURES

FACTS = (Topic.TICKET, Topic.JOB)
DELIVERIES = (Topic.DELIVERY,)
BATCH = 32
"""Rows, or merchants with a row each."""
AGAIN_SECONDS, AGAIN_AT_MOST, UNSENDABLE_AT_MOST = 1.5, 3.0, 600.0
"""What was not sent is tried again after as many seconds as it is old, within these bounds. All are longer than the pause between two
looks: a relay that wakes up finds the others' rows before it finds the same ones. What Temporal can't take as it is waits ever longer, so
that no number of such rows holds up a merchant's sound ones.
"""
LEASE_SECONDS = BATCH_SECONDS + 15
"""A lease outlasts the worst batch. The dispatcher gives up what is not sent after BATCH_SECONDS, whatever the number of rows and of calls
at once; then a connection takes at most 2.5 s and the statement that deletes the rows at most 10 s, by the limits of the pool.
"""
_FROM_THE_FIRST = -1
"""Below every merchant's id, and below 0, which stands for none: a check of all merchants is a job of none."""
# One turn for each merchant with something to send, in the order of their ids, from the one after ``after``. A step is three looks at an
# index: for the next merchant, whether its rows are held, whether it has one to send. ``until`` holds for all rows of a merchant, so that a
# backlog that has to wait costs no more than one row. They share the batch: what one merchant has waiting is never read as a whole, nor
# sorted.
_CLAIM = """
    WITH RECURSIVE {held} turn (merchant_id, until, has_some, place) AS (
        SELECT CAST(:after AS bigint), timestamptz 'infinity', false, 0
        UNION ALL
        SELECT following.merchant_id, bound.until, due.exist, turn.place + due.exist::int FROM turn
            CROSS JOIN LATERAL
                (SELECT merchant_id FROM outbox WHERE {topics} AND merchant_id > turn.merchant_id ORDER BY merchant_id LIMIT 1) AS following
            CROSS JOIN LATERAL (SELECT {until} AS until) AS bound
            CROSS JOIN LATERAL (SELECT (  -- in order, lest the planner read the table up to the first that is found
                SELECT written_at FROM outbox WHERE {waiting} AND merchant_id = following.merchant_id AND written_at < bound.until
                ORDER BY written_at LIMIT 1
            ) IS NOT NULL AS exist) AS due
        WHERE turn.place < {batch}
    ), oldest AS MATERIALIZED (
        SELECT mine.* FROM turn CROSS JOIN LATERAL
            (SELECT merchant_id, key FROM outbox WHERE {waiting} AND merchant_id = turn.merchant_id AND written_at < turn.until
             ORDER BY written_at LIMIT (SELECT ceil({batch} / count(*)::float) FROM turn WHERE has_some) FOR UPDATE SKIP LOCKED) AS mine
        WHERE turn.has_some
        LIMIT 2 * {batch}  -- there are fewer; without it the planner expects thousands, and reads all of the outbox to find them
    )
    UPDATE outbox SET leased_until = clock_timestamp() + make_interval(secs => :lease) FROM oldest
    WHERE outbox.merchant_id = oldest.merchant_id AND outbox.key = oldest.key
    RETURNING outbox.merchant_id, outbox.key, outbox.topic, outbox.version, outbox.payload,
        (SELECT count(*) FROM turn WHERE has_some) AS turns
"""
# Deadlines go before notifications (docs/decisions/0014-deadlines-before-notifications.md): while one of a merchant's is overdue by more
# than a second, the merchant's notifications wait, a minute at most. One overdue for longer than two minutes is stuck and holds up nothing.
_HELD = """
    held AS MATERIALIZED (
        SELECT DISTINCT merchant_id FROM ticket
        WHERE next_deadline_at BETWEEN clock_timestamp() - interval '2 minutes' AND clock_timestamp() - interval '1 second'
    ),
"""
_A_MINUTE_OLD = """
    CASE WHEN following.merchant_id IN (SELECT merchant_id FROM held) THEN clock_timestamp() - interval '1 minute' ELSE 'infinity' END
"""
# What was replaced by a newer message meanwhile has another version: it stays.
# A row that a writer holds is being replaced: it is skipped, so that no writer and no relay ever wait for each other.
_MINE = """
    (SELECT merchant_id, key FROM outbox JOIN unnest(CAST(:merchants AS bigint[]), CAST(:keys AS text[]), CAST(:versions AS bigint[]))
         AS sent (merchant_id, key, version) USING (merchant_id, key, version) FOR UPDATE OF outbox SKIP LOCKED) AS mine
    WHERE outbox.merchant_id = mine.merchant_id AND outbox.key = mine.key
"""
_DELETE = Prepared[None](f"DELETE FROM outbox USING {_MINE}")  # noqa: S608 - our own text
_HAND_BACK = Prepared[None](f"""
    UPDATE outbox SET leased_until = clock_timestamp() + least(make_interval(secs => :at_most),
        greatest(make_interval(secs => :at_least), clock_timestamp() - written_at)) FROM {_MINE}
""")  # noqa: S608
log = structlog.get_logger()


class Relay:
    """``url`` is the relay role's. ``pause`` is how many seconds a relay that was not triggered waits between two looks."""

    def __init__(self, url: str, dispatcher: Dispatcher, topics: Sequence[Topic], *, pause: float = 1.0) -> None:
        self._database = engine_of(url, pool_size=2, isolation="AUTOCOMMIT")
        self._dispatcher = dispatcher
        self._topics = list(topics)
        self._claiming = _claim_of(topics)
        self._after = _FROM_THE_FIRST
        self._more_waits = False
        self._pause = pause
        self._triggered = asyncio.Event()

    def trigger(self) -> None:
        """Something was committed."""
        self._triggered.set()

    async def run(self) -> None:
        """Relay until cancelled. A database or a Temporal server that is away is tried again, every second or sooner."""
        try:
            while True:
                self._triggered.clear()
                if not (await self._relay_once_safely() and self._more_waits):
                    await self._wait()
        finally:
            await self._database.dispose()

    async def relay_once(self) -> int:
        """Send one batch; return how many rows it had, 0 when none of them was acknowledged."""
        rows = await self._claim()
        done = await self._dispatcher.dispatch(rows)
        await self._acknowledge(rows, done)
        return len(rows) if done.sent else 0

    async def _relay_once_safely(self) -> int:
        try:
            return await self.relay_once()
        except Exception as error:  # noqa: BLE001 - whatever is wrong now, it goes on
            RELAY_FAILURES.inc()
            log.warning("relay.failed", topics=self._topics, error=type(error).__name__)
            return 0

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._triggered.wait()

    async def _claim(self) -> Sequence[OutboxRow]:
        """The next merchants' turns; after the last merchant it is the first one's again."""
        after, self._after = self._after, _FROM_THE_FIRST
        found = await self._lease(after) or (await self._lease(_FROM_THE_FIRST) if after != _FROM_THE_FIRST else ())
        if not found:
            return ()
        turns, most = found[0].turns, Counter(row.merchant_id for row in found).most_common(1)[0][1]
        if turns == BATCH:
            self._after = max(row.merchant_id for row in found)
        self._more_waits = turns == BATCH or most == math.ceil(BATCH / turns) or after != _FROM_THE_FIRST
        return [OutboxRow(row.merchant_id, row.key, Topic(row.topic), row.version, row.payload) for row in found]

    async def _lease(self, after: int) -> Sequence[sa.Row[Any]]:
        async with self._database.connect() as connection:
            return (await Connection(connection).execute(self._claiming, {"after": after, "lease": LEASE_SECONDS})).all()

    async def _acknowledge(self, rows: Sequence[OutboxRow], done: Dispatched) -> None:
        """Delete what was acknowledged, hand back the rest."""
        if not rows:
            return
        over = {(row.merchant_id, row.key) for row in (*done.sent, *done.unsendable)}
        kept = [row for row in rows if (row.merchant_id, row.key) not in over]
        async with self._database.connect() as connected:
            connection = Connection(connected)
            if done.sent:
                await connection.execute(_DELETE, _columns(done.sent))
            for back, at_most in ((kept, AGAIN_AT_MOST), (done.unsendable, UNSENDABLE_AT_MOST)):
                if back:
                    await connection.execute(_HAND_BACK, {"at_least": AGAIN_SECONDS, "at_most": at_most, **_columns(back)})


def _claim_of(topics: Sequence[Topic]) -> Prepared[*tuple[Any, ...]]:
    """The topics stand in the statement itself, as in the condition of the index that serves it."""
    named = ", ".join(f"'{topic}'" for topic in topics)
    of_these = f"topic IN ({named})"
    held, until = (_HELD, _A_MINUTE_OLD) if Topic.DELIVERY in topics else ("", "timestamptz 'infinity'")
    waiting = f"{of_these} AND (leased_until IS NULL OR leased_until < clock_timestamp())"
    return Prepared(_CLAIM.format(held=held, until=until, topics=of_these, waiting=waiting, batch=BATCH))


def _columns(rows: Sequence[OutboxRow]) -> dict[str, list[int] | list[str]]:
    return {
        "merchants": [row.merchant_id for row in rows],
        "keys": [row.key for row in rows],
        "versions": [row.version for row in rows],
    }
