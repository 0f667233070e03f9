"""Tickets go before letters. One process works on both, and a letter can wait for a moment where a deadline can't."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

QUIET: Final = 0.05
"""After so many seconds without work on a ticket a letter has its turn."""
LONGEST: Final = 2.0
"""So many seconds a letter waits at most: however many deadlines come, some letters go out."""


class Precedence:
    """Shared by all activities of a process."""

    def __init__(self) -> None:
        self._at_work = 0
        self._ended_at = float("-inf")

    @contextmanager
    def first(self) -> Iterator[None]:
        """Around the work on a ticket."""
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            self._ended_at = asyncio.get_running_loop().time()

    async def give_way(self) -> None:
        """Return when no ticket is worked on, or after the longest wait."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + LONGEST
        while (now := loop.time()) < latest and (self._at_work or now - self._ended_at < QUIET):  # noqa: ASYNC110 - each deadline moves the moment on
            await asyncio.sleep(QUIET)
