"""Ids for new rows, at hand: a transaction waits for none."""

import asyncio
import time
from collections.abc import Iterator

from models.db.connection import Connection
from models.db.ids import id_of
from models.db.pool import POOL_WAIT_SECONDS
from models.db.prepared import Prepared

BLOCK = 65_536
LOW = 16_384
"""A transaction begins with at least so many ids at hand: hundreds of times what the largest one takes.

A block is what ``lease_slots`` leases in one call, 16 ms of ids.
"""
_LEASE_SECONDS = 5.0  # an id tells its millisecond: an old block would tell an old one
_LEASE = Prepared[int]("SELECT lease_slots()")


class IdBlock:
    """The ids that this process holds, for all its transactions: leased from the database a block at a time."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._slots: Iterator[int] = iter(())
        self._left = 0
        self._leased_at = float("-inf")
        self._leasing = asyncio.Lock()

    def take(self) -> int:
        self._left -= 1
        return id_of(next(self._slots), self._node)

    async def replenish(self, connection: Connection) -> None:
        """Lease another block when this one runs low, or is old: an id tells its millisecond, and an old block would tell an old one."""
        if self._lasts():
            return
        # Bounded for all who wait together: a database that is away refuses each of them after this, and not one after the other.
        async with asyncio.timeout(POOL_WAIT_SECONDS), self._leasing:
            if not self._lasts():
                first = (await connection.execute(_LEASE)).scalar_one()  # stays leased if the transaction is rolled back
                self._slots, self._left, self._leased_at = iter(range(first, first + BLOCK)), BLOCK, time.monotonic()

    def _lasts(self) -> bool:
        return self._left >= LOW and time.monotonic() - self._leased_at <= _LEASE_SECONDS
