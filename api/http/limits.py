"""Rate limits: how much a subject, a merchant or an address may ask for, counted by the library ``limits`` in sliding windows."""

import asyncio
import time
from collections.abc import Iterable
from math import ceil
from typing import Final, NamedTuple, cast

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from models.errors import RateLimited
from models.platform.metrics import RATE_LIMITED

STORAGE_SECONDS: Final = 0.2
AWAY_SECONDS: Final = 5
"""A storage that is away limits nothing: it holds up a request for so long, and is then left alone for a while."""
HOLD_SECONDS: Final = 1.0
MAX_HELD: Final = 200
"""Refusals held back at once, each with its connection: a fraction of those that a process has. What is beyond is told at once."""
MAX_KEYS: Final = 50_000
"""Counters in memory, at most 20 MB; beyond them the oldest are forgotten first."""
log = structlog.get_logger()


class BoundedMemory(MemoryStorage):
    """The library's memory, without its walk over all counters after each request.

    Counters live equally long and are made in the order of time, so the ones that are over are the first.
    """

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        if key not in self.expirations:
            self._make_room(now)
            self.expirations[key] = now + expiry
        self.storage[key] += amount
        return self.storage[key]

    def _make_room(self, now: float) -> None:
        while self.expirations:
            oldest = next(iter(self.expirations))
            if self.expirations[oldest] > now and len(self.expirations) < MAX_KEYS:
                return
            del self.expirations[oldest]
            self.storage.pop(oldest, None)


class Rate(NamedTuple):
    """So many requests a second, and so many at once after a pause."""

    per_second: float
    burst: int


class _Quota(NamedTuple):
    """``item`` is the burst, in the seconds in which it comes back: both rates at once."""

    name: str
    item: RateLimitItemPerSecond

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.item.amount};w={self.item.get_expiry()}'


class RateLimits:
    """``subject`` is the rate of one subject and of one address; a merchant has it ``merchant_subjects`` times.

    A refusal is held back for ``hold_seconds``, no longer than a client was told to wait: loops that do not listen would fill the event
    loop with refusals, and everybody else would stand in line behind them.
    """

    def __init__(self, storage: Storage, subject: Rate, merchant_subjects: int, hold_seconds: float = HOLD_SECONDS) -> None:
        self._storage = storage
        self._hold_seconds = hold_seconds
        self._held = 0
        self._away_until = 0.0
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._subject = _quota("subject", subject, 1)
        self._merchant = _quota("merchant", subject, merchant_subjects)
        self._address = _quota("address", subject, 1)

    async def take(self, subject: str, merchant_id: int, cost: int) -> None:
        """The subject first: what it is refused does not count on its merchant.

        Raises:
            RateLimited: one of both asks for too much.
        """
        await self._take(((self._subject, subject), (self._merchant, str(merchant_id))), cost)

    async def take_of_address(self, address: str) -> None:
        """The same of one address.

        Raises:
            RateLimited: it asks for too much.
        """
        await self._take(((self._address, address),), 1)

    async def _take(self, quotas: Iterable[tuple[_Quota, str]], cost: int) -> None:
        if time.monotonic() < self._away_until:
            return
        try:
            async with asyncio.timeout(STORAGE_SECONDS):
                refusal = await self._counted(quotas, cost)
        except (StorageError, TimeoutError) as away:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("limits.storage_away", error=type(away).__name__, unlimited_for_seconds=AWAY_SECONDS)
            return
        if refusal is not None:
            await self._hold()
            raise refusal

    async def _counted(self, quotas: Iterable[tuple[_Quota, str]], cost: int) -> RateLimited | None:
        for quota, key in quotas:
            if not await self._limiter.hit(quota.item, quota.name, key, cost=cost):
                RATE_LIMITED.labels(quota.name).inc()
                return _refusal(quota, *await self._left(quota, key, cost))
        return None

    async def _left(self, quota: _Quota, key: str, cost: int) -> tuple[int, int]:
        """How much, and the seconds until the same request is let through, if nothing else is asked until then."""
        counters = cast("SlidingWindowCounterSupport", self._storage)
        window, room = quota.item.get_expiry(), quota.item.amount - cost
        before, before_left, now, now_left = await counters.get_sliding_window(quota.item.key_for(quota.name, key), window)
        left = max(0, quota.item.amount - ceil(before * before_left / window + now))
        if now <= room and before:  # what was asked in the window before counts less and less
            return left, max(1, ceil(before_left - (room - now) * window / before))
        return left, max(1, ceil(now_left - window * (room / now if now else 1)))

    async def _hold(self) -> None:
        if self._held >= MAX_HELD:
            return
        self._held += 1
        try:
            await asyncio.sleep(self._hold_seconds)
        finally:
            self._held -= 1


def _quota(name: str, rate: Rate, times: int) -> _Quota:
    seconds = max(1, int(rate.burst / rate.per_second))
    return _Quota(name, RateLimitItemPerSecond(rate.burst * times, seconds))


def _refusal(quota: _Quota, left: int, seconds: int) -> RateLimited:
    detail = f"This {quota.name} asks for more than {quota.item.amount} in {quota.item.get_expiry()} s. Try again in {seconds} s."
    headers = {"Retry-After": str(seconds), "RateLimit-Policy": quota.policy, "RateLimit": f'"{quota.name}";r={left};t={seconds}'}
    return RateLimited(detail, headers=headers)


def storage_at(uri: str) -> Storage:
    """``memory://`` is this process's own. Others are shared by all processes, and need their driver: see docs/decisions/0019.

    Raises:
        limits.errors.ConfigurationError: there is no such storage, or its driver is not installed.
    """
    if uri == "memory://":
        return BoundedMemory()
    return cast("Storage", storage_from_string(f"async+{uri}", wrap_exceptions=True))
