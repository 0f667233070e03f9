"""Attackers at random beside honest people, on an API process of its own; how the process bears it, and how the honest are served."""

import asyncio
import random
import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from time import perf_counter

import httpx
import psutil

from tests.http.attacks import ATTACKS, Attacker
from tests.support.desk import BASE, Merchant

ATTACKERS, HONEST = 4, 2


@dataclass
class Outcome:
    """Seconds of each answer, by what was asked; what must not have been answered; how many megabytes the process grew."""

    failures: list[str] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    honest: list[float] = field(default_factory=list)
    attacks: int = 0
    grown: float = 0.0

    def __str__(self) -> str:
        p99 = statistics.quantiles(self.health, n=100)[98] * 1000
        p50 = statistics.median(self.honest) * 1000
        return f"{self.attacks} attacks; /healthz p99 {p99:.0f} ms; honest p50 {p50:.0f} ms; grown by {self.grown:.1f} MB"


class Mix:
    """``acme`` is honest; the attackers are of ``globex``."""

    def __init__(self, process: psutil.Process, port: int, acme: Merchant, globex: Merchant, seed: int) -> None:
        self._process, self._port = process, port
        self._acme, self._globex, self._seed = acme, globex, seed
        self._open = AsyncExitStack()
        self.outcome = Outcome()

    async def run(self, seconds: float) -> Outcome:
        """Each attack once, so that what a process keeps for good is there; then all at random."""
        async with AsyncExitStack() as self._open:
            return await self._run(seconds)

    async def _run(self, seconds: float) -> Outcome:
        foreign = (await self._acme.open(category="general"))["id"]
        dice = [random.Random(self._seed + n) for n in range(ATTACKERS)]  # noqa: S311 - so that a run can be repeated
        attackers = [await self._attacker(foreign, each) for each in dice]
        rita, probe = await self._client(self._acme.rita), await self._client(None, base="")
        for name in ATTACKS:
            await self._attack(name, attackers[0])
        before = self._megabytes()
        until = perf_counter() + seconds
        loops = [self._repeat(until, 0.0, lambda it=it: self._attack(it.dice.choice([*ATTACKS]), it)) for it in attackers]  # type: ignore[misc]
        loops += [self._repeat(until, 0.02, lambda: self._honest(rita)) for _ in range(HONEST)]
        await asyncio.gather(*loops, self._repeat(until, 0.02, lambda: self._healthy(probe)))
        self.outcome.grown = self._megabytes() - before
        return self.outcome

    async def _client(self, person: httpx.AsyncClient | None, base: str = BASE) -> httpx.AsyncClient:
        headers = {"Authorization": person.headers["Authorization"]} if person else {}
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}{base}", headers=headers, timeout=60)
        return await self._open.enter_async_context(client)

    async def _attacker(self, foreign: str, dice: random.Random) -> Attacker:
        staff, reporter = await self._client(self._globex.ana), await self._client(self._globex.rita)
        return Attacker(staff, reporter, await self._client(None), self._port, foreign, dice)

    @staticmethod
    async def _repeat(until: float, pause: float, deed: Callable[[], Awaitable[None]]) -> None:
        while perf_counter() < until:
            await deed()
            await asyncio.sleep(pause)

    async def _attack(self, name: str, attacker: Attacker) -> None:
        self.outcome.attacks += 1
        if failure := await ATTACKS[name].failure(attacker):
            self.outcome.failures.append(f"{name}: {failure}")

    async def _honest(self, rita: httpx.AsyncClient) -> None:
        """One ticket's begin, as its reporter goes through it."""
        body = {"subject": "The till", "description": "It is stuck.", "category": "general"}
        opened = await self._timed(rita.post("/tickets", json=body), 201)
        if opened.is_success:
            await self._timed(rita.post(f"/tickets/{opened.json()['id']}/messages", json={"body": "Still."}), 201)
            await self._timed(rita.get("/tickets"), 200)

    async def _timed(self, asked: Awaitable[httpx.Response], wanted: int) -> httpx.Response:
        begun = perf_counter()
        response = await asked
        self.outcome.honest.append(perf_counter() - begun)
        if response.status_code != wanted:
            self.outcome.failures.append(f"honest: {response.status_code} {response.text[:200]}")
        return response

    async def _healthy(self, client: httpx.AsyncClient) -> None:
        begun = perf_counter()
        response = await client.get("/healthz")
        self.outcome.health.append(perf_counter() - begun)
        if response.status_code != 200:
            self.outcome.failures.append(f"/healthz: {response.status_code}")

    def _megabytes(self) -> float:
        return float(self._process.memory_info().rss) / 1e6
