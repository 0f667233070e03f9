"""Counting by itself: what is refused may come again when it is told, and what is counted is bounded."""

import asyncio
import random
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from api.http import limits
from api.http.limits import BoundedMemory, Rate, RateLimits
from models.errors import RateLimited
from tests.support.counted import counted as measured

BURST = 30


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the library's counters and of ours, in seconds; a test moves it."""
    clock = SimpleNamespace(now=1_000_000.0)
    clock.time = clock.monotonic = lambda: clock.now
    monkeypatch.setattr("limits.aio.storage.memory.time", clock)
    monkeypatch.setattr(limits, "time", clock)
    return clock


async def seconds_to_wait(counted: RateLimits, cost: int) -> int:
    """Until the subject is let through; 0 if it is now."""
    try:
        await counted.take("ana", 1, cost)
    except RateLimited as refused:
        return int(refused.headers["Retry-After"])
    return 0


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_refused_is_taken_when_it_was_told_to_come_again(clock: SimpleNamespace, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    counted = RateLimits(BoundedMemory(), Rate(5, BURST), 10, hold_seconds=0)
    for _ in range(300):
        clock.now += chance.expovariate(20)
        cost = chance.choice([1, 1, 1, 10])
        if seconds := await seconds_to_wait(counted, cost):
            assert seconds <= 2 * BURST / 5
            clock.now += seconds
            assert await seconds_to_wait(counted, cost) == 0


async def test_a_steady_rate_is_never_refused_and_a_burst_is_taken_at_once(clock: SimpleNamespace) -> None:
    counted = RateLimits(BoundedMemory(), Rate(50, 300), 10, hold_seconds=0)
    refused = measured("helpdesk_rate_limited_total", quota="subject")
    for _ in range(300):
        assert await seconds_to_wait(counted, 1) == 0
    assert measured("helpdesk_rate_limited_total", quota="subject") == refused
    assert await seconds_to_wait(counted, 1) > 0
    assert measured("helpdesk_rate_limited_total", quota="subject") == refused + 1
    clock.now += 12
    for _ in range(3000):
        clock.now += 1 / 49
        assert await seconds_to_wait(counted, 1) == 0


async def test_counters_are_forgotten_when_they_are_over(clock: SimpleNamespace) -> None:
    memory = BoundedMemory()
    counted = RateLimits(memory, Rate(50, 300), 10, hold_seconds=0)
    for n in range(10_000):
        clock.now += 0.1
        await counted.take_of_address(str(n))
    assert len(memory.storage) == len(memory.expirations) <= 121
    assert not memory.locks
    assert memory.timer is None


async def test_no_flood_of_addresses_makes_the_memory_grow(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KEYS", 100)
    memory = BoundedMemory()
    counted = RateLimits(memory, Rate(50, 300), 10, hold_seconds=0)
    for n in range(1000):
        await counted.take_of_address(str(n))
    assert len(memory.storage) == len(memory.expirations) == 100


class _Away(BoundedMemory):
    """A storage that does not answer."""

    async def get(self, key: str) -> int:
        await asyncio.Event().wait()
        return await super().get(key)


async def test_a_storage_that_is_away_limits_nothing_and_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORAGE_SECONDS", 0.01)
    counted = RateLimits(_Away(), Rate(50, 300), 10, hold_seconds=0)
    with capture_logs() as lines:
        for _ in range(1000):
            await counted.take("ana", 1, 1)
    assert [line["event"] for line in lines if line["event"].startswith("limits.")] == ["limits.storage_away"]


async def test_a_refusal_is_held_back_and_no_more_of_them_than_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HELD", 1)
    counted = RateLimits(BoundedMemory(), Rate(0.1, 1), 10, hold_seconds=60)
    await counted.take("ana", 1, 1)
    held = asyncio.create_task(counted.take("ana", 1, 1))
    await asyncio.wait([held], timeout=0.05)
    assert not held.done()
    await counted.take("leo", 1, 1)
    with pytest.raises(RateLimited):
        await counted.take("ana", 1, 1)
    held.cancel()
    await asyncio.wait([held])
    assert counted._held == 0


async def test_what_is_left_is_told_to_a_dear_request_that_is_refused(clock: SimpleNamespace) -> None:
    counted = RateLimits(BoundedMemory(), Rate(5, BURST), 10, hold_seconds=0)
    for _ in range(BURST - 4):
        await counted.take("ana", 1, 1)
    with pytest.raises(RateLimited) as refused:
        await counted.take("ana", 1, 10)
    assert refused.value.headers["RateLimit"].startswith('"subject";r=4;t=')
    await counted.take("ana", 1, 4)
