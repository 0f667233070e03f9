"""A server of HTTP beside what else a process does: its signals are the process's own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn


class Server(uvicorn.Server):
    """Serves until ``should_exit`` is set, and is deaf to signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(config: uvicorn.Config, listener: socket.socket | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """Serve until the end of the block, on ``listener`` if there is one; give the task that does. A port that is taken ends the process."""
    server = Server(config)
    serving = asyncio.create_task(server.serve([listener] if listener else None))
    try:
        yield serving
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
