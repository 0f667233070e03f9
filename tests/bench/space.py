"""What a ticket leaves behind when it is closed: rows and bytes in PostgreSQL, bytes in Temporal. docs/sizing.md goes by it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import asyncpg

from tests.bench.burst import costs, until_none, until_quiet
from tests.bench.cast import Cast, checked
from tests.bench.system import System

_ROWS = "SELECT relname, n_tup_ins FROM pg_stat_user_tables"
_BYTES = "SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_stat_user_tables"


async def measure_space(system: System, cast: Cast, pool: asyncpg.Pool, *, number: int) -> list[str]:
    """So many plain lives: opened, assigned, replied to, resolved, closed, told."""
    before, used, began = await _found(system, pool), system.cpu_seconds(), time.perf_counter()
    places = iter(range(number))
    await asyncio.gather(*(_live(cast, pool, places, place) for place in range(len(cast.connections))))
    await until_quiet(pool)
    told = costs("processor time of a plain life", used, system.cpu_seconds(), number, time.perf_counter() - began)
    after = await _found(system, pool)
    rows = {name: count / number for name, count in (after[0] - before[0]).items() if count >= number / 10}
    listed = ", ".join(f"{name} {count:.1f}" for name, count in sorted(rows.items(), key=lambda each: -each[1]))
    kept, in_temporal = (after[1] - before[1]) / number / 1024, (after[2] - before[2]) / number / 1024
    written = f"a closed ticket: {sum(rows.values()):.0f} rows were written, {kept:.1f} KiB in PostgreSQL"
    return [f"{written}, {in_temporal:.1f} KiB in Temporal's file ({listed})", told]


async def _live(cast: Cast, pool: asyncpg.Pool, places: Iterator[int], place: int) -> None:
    connection = cast.connections[place]
    for number in places:
        ticket = str(checked(await connection.ask(cast.create(number)), 201).json()["id"])
        await until_none(pool, f"SELECT count(*) FROM ticket WHERE id = {ticket} AND assignee_id IS NULL")  # noqa: S608 - a number
        for step in (cast.reply, cast.resolve, cast.close):
            answer = await connection.ask(step(ticket))
            assert answer.status in (200, 201), answer


async def _found(system: System, pool: asyncpg.Pool) -> tuple[Counter[str], int, int]:
    """Rows written by table, bytes in PostgreSQL, bytes in Temporal's files."""
    await asyncio.sleep(1.5)  # PostgreSQL's counts are up to a second late
    temporal = sum(file.stat().st_size for file in (system.var / "temporal").iterdir())
    return Counter({row["relname"]: row["n_tup_ins"] for row in await pool.fetch(_ROWS)}), await pool.fetchval(_BYTES), temporal
