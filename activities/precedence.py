"""Tickets go before letters. One process works on both, and a letter can wait for a moment where a deadline can't."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

QUIET: Final = 0.05
"""When for so many seconds no work on a ticket began or ended, letters have their turn: also while one waits for a row that is held."""
LONGEST: Final = 2.0
"""So many seconds a letter waits at most: however many deadlines come, some letters go out."""


class Precedence:
    """Shared by all activities of a process."""

    def __init__(self) -> None:
        self._stirred_at = float("-inf")

    @contextmanager
    def first(self) -> Iterator[None]:
        """Around the work on a ticket."""
        self._stir()
        try:
            yield
        finally:
            self._stir()

    async def give_way(self) -> None:
        """Return when it is quiet, or after the longest wait."""
        now = asyncio.get_running_loop().time
        latest = now() + LONGEST
        while now() < min(latest, self._stirred_at + QUIET):  # noqa: ASYNC110 - each ticket moves the moment on
            await asyncio.sleep(QUIET)

    def _stir(self) -> None:
        self._stirred_at = asyncio.get_running_loop().time()
