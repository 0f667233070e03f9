"""The relay: it brings what the outbox holds to the engine, at least once, and deletes it only when the engine has acknowledged it.

For news it runs in the API's process, woken after each commit, and in every worker, where it sweeps up what a dead process left; for
letters in the workers alone. Two relays never have the same row: a row is leased, in a transaction of its own, so that no writer waits for
the engine.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

import sqlalchemy as sa
import structlog

from models.db.session import engine_of
from models.outbox.dispatch import Carrier, Load, Parcel
from models.outbox.tables import Topic

BATCH = 32
HANDED_BACK_SECONDS = 1.0
_CLAIM = sa.text("""
    UPDATE outbox SET leased_until = clock_timestamp() + interval '20 seconds'
    FROM (SELECT merchant_id, key FROM outbox
          WHERE topic = ANY(:topics) AND (leased_until IS NULL OR leased_until < clock_timestamp())
          ORDER BY written_at LIMIT :batch FOR UPDATE SKIP LOCKED) AS waiting
    WHERE outbox.merchant_id = waiting.merchant_id AND outbox.key = waiting.key
    RETURNING outbox.merchant_id, outbox.key, outbox.topic, outbox.version, outbox.payload
""")
# What was replaced by a newer message meanwhile has another version: it stays.
# A row that a writer holds is being replaced: it is skipped, so that no writer and no relay ever wait for each other.
_MINE = """
    (SELECT merchant_id, key FROM outbox JOIN unnest(CAST(:merchants AS bigint[]), CAST(:keys AS text[]), CAST(:versions AS bigint[]))
         AS told (merchant_id, key, version) USING (merchant_id, key, version) FOR UPDATE OF outbox SKIP LOCKED) AS mine
    WHERE outbox.merchant_id = mine.merchant_id AND outbox.key = mine.key
"""
_DELETE = sa.text(f"DELETE FROM outbox USING {_MINE}")  # noqa: S608 - our own text
_HAND_BACK = sa.text(f"UPDATE outbox SET leased_until = clock_timestamp() + make_interval(secs => :seconds) FROM {_MINE}")  # noqa: S608
log = structlog.get_logger()


class Relay:
    """``url`` is the relay role's. ``at_once`` bounds how many calls to the engine are under way."""

    def __init__(self, url: str, carrier: Carrier, *, at_once: int = 8) -> None:
        self._database = engine_of(url, pool_size=2)
        self._carrier = carrier
        self._at_once = asyncio.Semaphore(at_once)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until cancelled. A database or an engine that is away is tried again, every second or sooner."""
        try:
            while True:
                self._woken.clear()
                if await self._relay_once_safely() < BATCH:
                    await self._wait()
        finally:
            await self._database.dispose()

    async def relay_once(self) -> int:
        """Deliver one batch; return how many rows it had."""
        parcels = await self._claim()
        loads = list(self._carrier.loads(parcels))
        delivered = await asyncio.gather(*(self._deliver_safely(load) for load in loads))
        await self._settle(loads, delivered)
        return len(parcels) if any(delivered) else 0

    async def _relay_once_safely(self) -> int:
        try:
            return await self.relay_once()
        except Exception as error:  # noqa: BLE001 - whatever is wrong now, it goes on
            log.warning("relay.failed", error=type(error).__name__)
            return 0

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._carrier.pause):
                await self._woken.wait()

    async def _claim(self) -> Sequence[Parcel]:
        async with self._database.begin() as connection:
            found = await connection.execute(_CLAIM, {"topics": list(self._carrier.topics), "batch": BATCH})
            return [Parcel(row.merchant_id, row.key, Topic(row.topic), row.version, row.payload) for row in found]

    async def _settle(self, loads: Iterable[Load], delivered: Iterable[bool]) -> None:
        told: dict[bool, list[Parcel]] = {True: [], False: []}
        for load, is_delivered in zip(loads, delivered, strict=True):
            told[is_delivered] += load
        if not any(told.values()):
            return
        async with self._database.begin() as connection:
            if told[True]:
                await connection.execute(_DELETE, _columns(told[True]))
            if told[False]:
                await connection.execute(_HAND_BACK, {"seconds": HANDED_BACK_SECONDS, **_columns(told[False])})

    async def _deliver_safely(self, load: Load) -> bool:
        async with self._at_once:
            try:
                await self._carrier.deliver(load)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one load, the others are delivered
                about = {"merchant_id": load[0].merchant_id, "keys": [parcel.key for parcel in load]}
                log.warning("relay.not_delivered", **about, error=type(error).__name__)
                return False
        return True


def _columns(parcels: Sequence[Parcel]) -> dict[str, list[int] | list[str]]:
    return {
        "merchants": [parcel.merchant_id for parcel in parcels],
        "keys": [parcel.key for parcel in parcels],
        "versions": [parcel.version for parcel in parcels],
    }
