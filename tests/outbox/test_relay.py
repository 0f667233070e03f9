"""The relay: at least once, never two at the same row, and what arrives twice does no harm."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.outbox.dispatch import LetterCarrier, Load, NewsCarrier
from models.outbox.relay import Relay
from models.outbox.tables import Outbox, Topic
from tests.support.auditor import rows
from tests.support.desk import Desk
from tests.support.isolated import Isolated


class WatchedRelay(Relay):
    """Notes what it brings; ``dies`` is the death between the engine's acknowledgement and the deletion."""

    def __init__(self, *args: Any, dies: str = "never", **options: Any) -> None:
        super().__init__(*args, **options)
        self.brought: list[str] = []
        self._dies = dies

    async def _deliver_safely(self, load: Load) -> bool:
        self.brought += [parcel.key for parcel in load]
        return await super()._deliver_safely(load)

    async def _settle(self, *settled: Any) -> None:
        if self._dies == "never":
            await super()._settle(*settled)


NewRelay = Callable[..., WatchedRelay]


@pytest.fixture
async def new_relay(quiet: tuple[Isolated, Desk]) -> AsyncIterator[NewRelay]:
    """A relay for news, or for letters."""
    isolated, desk = quiet
    carriers = {"news": NewsCarrier(desk.client), "letters": LetterCarrier(desk.client, retry_seconds=0.05)}
    relays: list[WatchedRelay] = []

    def make(what: str, **options: Any) -> WatchedRelay:
        relays.append(WatchedRelay(isolated.urls[1], carriers[what], **options))
        return relays[-1]

    yield make
    for relay in relays:
        await relay._database.dispose()


async def test_two_relays_never_bring_the_same_row(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    for _ in range(20):
        await acme.open(category="general")
    relays = [new_relay(what) for what in ("news", "letters") for _ in range(3)]
    while await rows(desk, acme, Outbox):
        await asyncio.gather(*(each.relay_once() for each in relays))
    brought = [key for each in relays for key in each.brought]
    assert len(brought) == len(set(brought)) == 40  # twenty tickets, twenty acknowledgements


async def test_a_relay_that_dies_before_it_deletes_has_its_rows_brought_again(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    ticket = await acme.open(category="general")
    await new_relay("news", dies="before it deletes").relay_once()
    successor = new_relay("news")
    assert await successor.relay_once() == 0  # the lease still holds
    await run_out(desk, acme.id)
    assert await successor.relay_once() == 1
    assert [row.topic for row in await rows(desk, acme, Outbox)] == [Topic.DELIVERY]
    started = [event async for event in desk.client.get_workflow_handle(f"ticket-{ticket['id']}").fetch_history_events()]
    assert len([event for event in started if event.HasField("workflow_execution_started_event_attributes")]) == 1


async def test_a_merchants_letters_travel_together(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme, globex = await desk.merchant(), await desk.merchant("globex")
    for merchant in (acme, acme, globex):
        await merchant.open(category="general")
    relay = new_relay("letters")
    parcels = await relay._claim()
    bags = [{parcel.merchant_id for parcel in load} for load in relay._carrier.loads(parcels)]
    assert {acme.id} in bags
    assert {globex.id} in bags
    assert all(len(merchants) == 1 for merchants in bags)
    await run_out(desk, acme.id)
    await run_out(desk, globex.id)


async def test_what_cannot_be_brought_holds_up_nothing_else(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    spoilt, sound = await acme.open(category="general"), await acme.open(category="general")
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Outbox).where(col(Outbox.key) == f"ticket-{spoilt['id']}").values(payload={"none": "of ours"}))
    await new_relay("news").relay_once()
    left = [row.key for row in await rows(desk, acme, Outbox, col(Outbox.topic) == Topic.TICKET)]
    assert left == [f"ticket-{spoilt['id']}"]
    assert (await desk.client.get_workflow_handle(f"ticket-{sound['id']}").describe()).workflow_type == "Ticket"


async def test_a_letter_that_cannot_be_read_holds_up_no_other(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    for _ in range(3):
        await acme.open(category="general")
    spoilt = (await rows(desk, acme, Outbox, col(Outbox.topic) == Topic.DELIVERY))[1].key
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Outbox).where(col(Outbox.key) == spoilt).values(payload={"none": "of ours"}))
    await new_relay("letters").relay_once()
    assert [row.key for row in await rows(desk, acme, Outbox, col(Outbox.topic) == Topic.DELIVERY)] == [spoilt]


async def test_a_topic_that_this_release_does_not_know_is_left_to_the_next(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general")
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.text("UPDATE outbox SET topic = 'pigeons'"))
    await new_relay("news").relay_once()
    async with desk.database.reading(acme.id) as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM outbox WHERE leased_until IS NULL"))).scalar_one() == 2


async def run_out(desk: Desk, merchant_id: int) -> None:
    """Let every lease be over."""
    async with desk.database.reading(merchant_id) as session:
        await session.execute(sa.update(Outbox).values(leased_until=desk.clock.now() - timedelta(seconds=1)))
