"""What a person who asks gets to feel: create, reply, get, list."""

import time
from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from tests.bench.bare import Bare, timed
from tests.bench.burst import until_quiet
from tests.bench.cast import LISTED, Cast, checked, write_long_list
from tests.bench.table import Bound, Budget, Row, p50, p99

CREATE = Budget(name="create, 1 client, p50", bound=Bound.AT_MOST, limit=8, unit="ms")
IN_BARE = Budget(name="... in bare transactions", bound=Bound.AT_MOST, limit=8, unit="x")
REPLY = Budget(name="reply, p50", bound=Bound.AT_MOST, limit=8, unit="ms")
GET = Budget(name="get, p50", bound=Bound.AT_MOST, limit=4, unit="ms")
LIST = Budget(name=f"list of 50 among {LISTED:,}, p50", bound=Bound.AT_MOST, limit=12, unit="ms")


class Opened(NamedTuple):
    """A ticket, and the Unix time at which its 201 was read."""

    id: str
    at: float


async def open_one(cast: Cast, number: int, category: str = "general") -> Opened:
    answer = await cast.ask(cast.create(number, category), 201)
    at = time.time()
    return Opened(str(answer.json()["id"]), at)


async def measure_requests(cast: Cast, pool: asyncpg.Pool, bare: Bare, *, each: int) -> list[Row]:
    """One client, ``each`` times each, while the worker and Temporal do what the requests cause; what earlier ones caused is done."""
    opened = await _asked(cast, [cast.create(n) for n in range(each)], 201)
    await until_quiet(pool)
    replied = await _asked(cast, [cast.reply(ticket) for ticket in opened.ids], 201)
    await until_quiet(pool)
    got = await _asked(cast, [cast.get(ticket) for ticket in opened.ids], 200)
    await write_long_list(cast, pool)
    listed = await _asked(cast, [cast.list_fifty()] * each, 200)
    return [
        _row(CREATE, opened.milliseconds),
        Row(IN_BARE, p50(opened.milliseconds) / bare.transaction_ms),
        _row(REPLY, replied.milliseconds),
        Row(IN_BARE, p50(replied.milliseconds) / bare.transaction_ms),
        _row(GET, got.milliseconds),
        _row(LIST, listed.milliseconds),
    ]


def _row(budget: Budget, milliseconds: Iterable[float]) -> Row:
    return Row(budget, p50(milliseconds), also=f"p99 {p99(milliseconds):.1f} ms")


class _Answered(NamedTuple):
    milliseconds: tuple[float, ...]
    ids: list[str]


async def _asked(cast: Cast, asked: list[bytes], expected: int) -> _Answered:
    waiting, answers = iter(asked), []

    async def one() -> None:
        answers.append(await cast.connections[0].ask(next(waiting)))

    taken = await timed(one, clients=1, each=len(asked))
    found = [checked(answer, expected).json() for answer in answers]
    return _Answered(taken.milliseconds, [str(each.get("id")) for each in found])
