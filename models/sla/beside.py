"""Calendars that nobody has used yet are laid out beside the event loop, for tens of milliseconds, and one at a time in a process.

A thread that computes takes its turns at the interpreter from the event loop: with six of them each request would wait for six turns, as
often as it waits at all. The default threads are left to what each request needs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_ONE = ThreadPoolExecutor(max_workers=1, thread_name_prefix="calendars")


async def beside(work: Callable[..., _T], *args: object) -> _T:
    """What ``work`` returns, when its turn has come. Each who asks holds a connection of the database: so few wait."""
    return await asyncio.get_running_loop().run_in_executor(_ONE, work, *args)
