"""Eight clients open tickets as fast as they can, on the cores on which the worker and Temporal take them in."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg

from tests.bench.bare import Bare
from tests.bench.cast import Cast, checked
from tests.bench.system import System
from tests.bench.table import Bound, Budget, Row, p50, p99

RATE = Budget(name="create, 8 clients, rate", bound=Bound.AT_LEAST, limit=354, unit="/s")
REPLIES = Budget(name="reply, 8 clients, rate", bound=Bound.AT_LEAST, limit=225, unit="/s")
P99 = Budget(name="create, 8 clients, p99", bound=Bound.AT_MOST, limit=120, unit="ms")
CATCH_UP = Budget(name="tickets taken in, rate", bound=Bound.AT_LEAST, limit=45, unit="/s")
COST = Budget(name="processor time a ticket until assigned and told", bound=Bound.AT_MOST, limit=55, unit="ms")
_PATIENCE = 120  # seconds
_WAITING = """
    SELECT (SELECT count(*) FROM ticket WHERE merchant_id = 2001 AND assignee_id IS NULL)
        + (SELECT count(*) FROM outbox)
"""
_UNSENT = "SELECT count(*) FROM notification WHERE status = 'pending'"


async def measure_burst(system: System, cast: Cast, pool: asyncpg.Pool, bare: Bare, *, number: int) -> tuple[list[Row], list[str]]:
    before, began = system.cpu_seconds(), time.perf_counter()
    created = await ask_all(cast, [cast.create(n) for n in range(number)])
    opened, during = time.perf_counter() - began, system.cpu_seconds()
    with contextlib.suppress(TimeoutError):  # then the figure says how few were taken in
        await until_none(pool, _WAITING)
    left = await pool.fetchval(_WAITING)
    taken_in = time.perf_counter() - began
    emails = await last_notification(pool)
    told, after = time.perf_counter() - began, system.cpu_seconds()
    began = time.perf_counter()
    replied = await ask_all(cast, [cast.reply(ticket) for ticket in created.ids])
    replies = len(replied.ids) / (time.perf_counter() - began)
    rows = [
        Row(RATE, number / opened, bare.transactions, f"{number} in {opened:.1f} s"),
        Row(P99, p99(created.milliseconds), also=f"p50 {p50(created.milliseconds):.1f} ms"),
        Row(
            CATCH_UP,
            max(number - left, 0) / taken_in,
            bare.starts,
            f"{left} left after {taken_in:.1f} s; {emails} after {told:.1f} s",
        ),
        Row(COST, ours(before, after) * 1000 / number),
        Row(REPLIES, replies, bare.transactions, f"p50 {p50(replied.milliseconds):.1f} ms, p99 {p99(replied.milliseconds):.1f} ms"),
    ]
    notes = [
        costs("processor time a ticket while 8 clients create", before, during, number, opened),
        costs("... and from the first until all is taken in and told", before, after, number, told),
    ]
    return rows, notes


async def until_quiet(pool: asyncpg.Pool) -> None:
    """Wait until what was measured before has no after-effects on what is measured next."""
    with contextlib.suppress(TimeoutError):  # a machine this busy spoils the figures, not the run
        await until_none(pool, _WAITING)
        await until_none(pool, _UNSENT)


async def last_notification(pool: asyncpg.Pool, *, seconds: float = _PATIENCE) -> str:
    """Wait until all e-mails were sent; how the row reports it, also if some were not."""
    with contextlib.suppress(TimeoutError):
        await until_none(pool, _UNSENT, seconds=seconds)
    left = await pool.fetchval(_UNSENT)
    return f"{left} e-mails left" if left else "the last e-mail"


async def until_none(pool: asyncpg.Pool, question: str, *, seconds: float = _PATIENCE) -> None:
    """Look five times a second until the count is 0.

    Raises:
        TimeoutError: it isn't after so many seconds.
    """
    async with asyncio.timeout(seconds):
        while await pool.fetchval(question):  # noqa: ASYNC110 - a count in another process
            await asyncio.sleep(0.2)


class Answered(NamedTuple):
    """``ids`` are those of what was made."""

    milliseconds: list[float]
    ids: list[str]


async def ask_all(cast: Cast, asked: Sequence[bytes]) -> Answered:
    """Have all connections send the requests, each its next one when the last one is answered. Each makes something."""
    waiting, answered = iter(asked), Answered([], [])

    async def one_client(place: int) -> None:
        for one in waiting:
            began = time.perf_counter()
            answer = await cast.connections[place].ask(one)
            answered.milliseconds.append((time.perf_counter() - began) * 1000)
            answered.ids.append(str(checked(answer, 201).json()["id"]))

    await asyncio.gather(*(one_client(place) for place in range(len(cast.connections))))
    return answered


def ours(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Processor seconds of all parts, and of this client."""
    return sum(after[name] - before[name] for name in before if name != "the whole machine")


def costs(what: str, before: Mapping[str, float], after: Mapping[str, float], number: int, seconds: float) -> str:
    """What each part used of the processors for one ticket: unlike a rate, it says much the same on a machine that others use too."""
    used = {name: after[name] - before[name] for name in before}
    whole = used.pop("the whole machine")
    mine = ours(before, after)
    others = max(whole - mine, 0) / seconds
    shares = ", ".join(f"{name} {share * 1000 / number:.1f}" for name, share in used.items())
    return f"{what}: {mine * 1000 / number:.1f} ms ({shares}); others used {others:.1f} cores"
