"""Where Prometheus scrapes a process: /metrics on a port of its own, which needs no token and is not the public's.

Gauges are looked up when they are scraped, and then kept for some seconds: however many scrape, the parts are asked once.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.db.session import Database
from models.platform.metrics import POOL_IN_USE, POOL_SIZE, REGISTRY, TEMPORAL_UP
from models.platform.serving import served

KEPT_SECONDS: Final = 5.0
AT_ONCE: Final = 8
"""Connections. A Prometheus has one."""
Look = Callable[[], Awaitable[None]]
"""Sets some gauges, within some seconds; it never raises."""


class Scrape:
    """The response to a scrape; ``looks`` bring the gauges up to date."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks
        self._looking = asyncio.Lock()
        self._kept = b""
        self._until = float("-inf")

    async def response(self, _: Request) -> Response:
        async with self._looking:
            if time.monotonic() >= self._until:
                await asyncio.gather(*(look() for look in self._looks))
                self._kept = await asyncio.to_thread(generate_latest, REGISTRY)  # 2,000 lines: the event loop has others to serve
                self._until = time.monotonic() + KEPT_SECONDS
        return Response(self._kept, media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def scraped(host: str, port: int, looks: Sequence[Look]) -> AsyncIterator[None]:
    """Answer scrapes until the end of the block. A port that is taken ends the process."""
    app = Starlette(routes=[Route("/metrics", Scrape(looks).response)])
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=1,
    )
    async with served(config):
        yield


async def of_pool(database: Database) -> None:
    POOL_SIZE.set(database.pool_size)
    POOL_IN_USE.set(database.in_use)


async def of_temporal(answers: Callable[[], Awaitable[bool]]) -> None:
    TEMPORAL_UP.set(await answers())
