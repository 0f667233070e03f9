"""The relay: at least once, never two at the same row, and what arrives twice does no harm."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models.relay import Parcel, Relay
from models.tables.outgoing import Outbox
from tests.apart import Apart
from tests.auditor import rows
from tests.desk import Desk


class WatchedRelay(Relay):
    """Notes what it takes and what it brings; ``dies`` is the death between the engine's acknowledgement and the deletion."""

    def __init__(self, *args: Any, dies: str = "never", **options: Any) -> None:
        super().__init__(*args, **options)
        self.brought: list[str] = []
        self._dies = dies

    async def _deliver(self, parcel: Parcel) -> None:
        self.brought.append(parcel.workflow_id)
        await super()._deliver(parcel)

    async def _settle(self, *settled: Any) -> None:
        if self._dies == "never":
            await super()._settle(*settled)


NewRelay = Callable[..., WatchedRelay]


@pytest.fixture
async def new_relay(quiet: tuple[Apart, Desk]) -> AsyncIterator[NewRelay]:
    apart, desk = quiet
    relays: list[WatchedRelay] = []

    def make(**options: Any) -> WatchedRelay:
        relays.append(WatchedRelay(apart.urls[1], desk.client, retry_seconds=0.05, **options))
        return relays[-1]

    yield make
    for relay in relays:
        await relay._database.dispose()


async def test_two_relays_never_bring_the_same_row(quiet: tuple[Apart, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    for _ in range(20):
        await acme.open(category="general")
    relays = [new_relay() for _ in range(3)]
    while await rows(desk, acme, Outbox):
        await asyncio.gather(*(each.relay_once() for each in relays))
    brought = [workflow_id for each in relays for workflow_id in each.brought]
    assert len(brought) == len(set(brought)) == 40  # twenty tickets, twenty acknowledgements


async def test_a_relay_that_dies_before_it_deletes_has_its_rows_brought_again(quiet: tuple[Apart, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    ticket = await acme.open(category="general")
    await new_relay(dies="before it deletes").relay_once()
    assert len(await rows(desk, acme, Outbox)) == 2
    successor = new_relay()
    assert await successor.relay_once() == 0  # the lease still holds
    await run_out(desk, acme.id)
    assert await successor.relay_once() == 2
    assert await rows(desk, acme, Outbox) == []
    started = [event async for event in desk.client.get_workflow_handle(f"ticket-{ticket['id']}").fetch_history_events()]
    assert len([event for event in started if event.HasField("workflow_execution_started_event_attributes")]) == 1


async def run_out(desk: Desk, merchant_id: int) -> None:
    """Let every lease be over."""
    async with desk.database.reading(merchant_id) as session:
        await session.execute(sa.update(Outbox).values(leased_until=desk.clock.now() - timedelta(seconds=1)))
