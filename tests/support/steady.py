"""Requests at a steady pace: each at its time, whatever became of those before."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import httpx

BODY = {"subject": "The till does not open", "description": "Since this morning.", "category": "general"}


class Load:
    """Opens a ticket, looks at one of those, and so on. ``failed`` says of each request without a success what became of it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.tickets: list[str] = []
        self.failed: list[str] = []
        self.sent = 0

    @asynccontextmanager
    async def running(self, *, per_second: float) -> AsyncIterator[None]:
        """Within the block requests are sent; at its end all of them were answered, or have failed."""
        over = asyncio.Event()
        pacing = asyncio.create_task(self._pace(per_second, over))
        try:
            yield
        finally:
            over.set()
            await pacing

    async def _pace(self, per_second: float, over: asyncio.Event) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as asked:
            for self.sent in count():
                if over.is_set():
                    return
                asked.create_task(self._ask(self.sent))
                await asyncio.sleep(max(began + (self.sent + 1) / per_second - time.monotonic(), 0))

    async def _ask(self, number: int) -> None:
        try:
            if number % 2 and self.tickets:
                response = await self._client.get(f"/tickets/{self.tickets[number % len(self.tickets)]}")
            else:
                response = await self._client.post("/tickets", json=BODY)
        except httpx.HTTPError as error:
            self.failed.append(repr(error))
            return
        if not response.is_success:
            self.failed.append(f"{response.status_code} {response.text}")
        elif response.status_code == httpx.codes.CREATED:
            self.tickets.append(response.json()["id"])
