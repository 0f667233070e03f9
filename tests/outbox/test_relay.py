"""The relay: at least once, never two at the same row, and what arrives twice does no harm."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.outbox.dispatch import Dispatcher, OutboxRow, _grouped
from models.outbox.relay import DELIVERIES, FACTS, Relay
from models.outbox.tables import Outbox, Topic
from models.tickets.tables import Ticket
from tests.support.auditor import rows
from tests.support.desk import Desk
from tests.support.isolated import Isolated


class WatchedRelay(Relay):
    """Notes what it sends; ``dies`` is the death between Temporal's acknowledgement and the deletion."""

    def __init__(self, *args: Any, dies: str = "never", **options: Any) -> None:
        super().__init__(*args, **options)
        self.sent: list[str] = []
        self._dies = dies

    async def _acknowledge(self, sent: Sequence[OutboxRow], kept: Sequence[OutboxRow]) -> None:
        self.sent += [row.key for row in sent]
        if self._dies == "never":
            await super()._acknowledge(sent, kept)


NewRelay = Callable[..., WatchedRelay]


@pytest.fixture
async def new_relay(quiet: tuple[Isolated, Desk]) -> AsyncIterator[NewRelay]:
    """A relay for facts, or for deliveries."""
    isolated, desk = quiet
    topics = {"facts": FACTS, "deliveries": DELIVERIES}
    relays: list[WatchedRelay] = []

    def make(what: str, **options: Any) -> WatchedRelay:
        relays.append(WatchedRelay(isolated.urls[1], Dispatcher(desk.client, retry_seconds=0.05), topics[what], **options))
        return relays[-1]

    yield make
    for relay in relays:
        await relay._database.dispose()


async def test_two_relays_never_bring_the_same_row(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    for _ in range(20):
        await acme.open(category="general")
    relays = [new_relay(what) for what in ("facts", "deliveries") for _ in range(3)]
    while await rows(desk, acme, Outbox):
        await asyncio.gather(*(each.relay_once() for each in relays))
    sent = [key for each in relays for key in each.sent]
    assert len(sent) == len(set(sent)) == 40  # twenty tickets, twenty acknowledgements


async def test_a_relay_that_dies_before_it_deletes_has_its_rows_sent_again(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    ticket = await acme.open(category="general")
    await new_relay("facts", dies="before it deletes").relay_once()
    successor = new_relay("facts")
    assert await successor.relay_once() == 0  # the lease still holds
    await run_out(desk, acme.id)
    assert await successor.relay_once() == 1
    assert [row.topic for row in await rows(desk, acme, Outbox)] == [Topic.DELIVERY]
    started = [event async for event in desk.client.get_workflow_handle(f"ticket-{ticket['id']}").fetch_history_events()]
    assert len([event for event in started if event.HasField("workflow_execution_started_event_attributes")]) == 1


async def test_a_merchants_notifications_travel_together(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme, globex = await desk.merchant(), await desk.merchant("globex")
    for merchant in (acme, acme, globex):
        await merchant.open(category="general")
    relay = new_relay("deliveries")
    claimed = await relay._claim()
    batches = [{row.merchant_id for row in group} for group in _grouped(claimed)]
    assert {acme.id} in batches
    assert {globex.id} in batches
    assert all(len(merchants) == 1 for merchants in batches)
    await run_out(desk, acme.id)
    await run_out(desk, globex.id)


@pytest.mark.parametrize(
    ("overdue_seconds", "written_seconds", "waits"),
    [(5, 5, True), (0, 5, False), (-60, 5, False), (5, 70, False), (180, 5, False)],
)
async def test_a_merchants_notifications_wait_while_a_deadline_is_overdue(
    quiet: tuple[Isolated, Desk], new_relay: NewRelay, overdue_seconds: int, written_seconds: int, *, waits: bool
) -> None:
    _, desk = quiet
    acme, globex = await desk.merchant(), await desk.merchant("globex")
    for merchant in (acme, globex):
        await merchant.open(category="general")
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Ticket).values(next_deadline_at=ago(overdue_seconds)))
        await session.execute(sa.update(Outbox).values(written_at=ago(written_seconds)))
    relay = new_relay("deliveries")
    claimed = {row.merchant_id for row in await relay._claim()}
    assert globex.id in claimed
    assert (acme.id not in claimed) == waits
    async with desk.database.reading(acme.id) as session:  # nothing stays overdue for the other tests
        await session.execute(sa.update(Ticket).values(next_deadline_at=None))
    for merchant in (acme, globex):
        await run_out(desk, merchant.id)


def ago(seconds: int) -> sa.ColumnElement[datetime]:
    return sa.func.clock_timestamp() - timedelta(seconds=seconds)


async def test_what_cannot_be_sent_holds_up_nothing_else(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    spoilt, sound = await acme.open(category="general"), await acme.open(category="general")
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Outbox).where(col(Outbox.key) == f"ticket-{spoilt['id']}").values(payload={"none": "of ours"}))
    await new_relay("facts").relay_once()
    left = [row.key for row in await rows(desk, acme, Outbox, col(Outbox.topic) == Topic.TICKET)]
    assert left == [f"ticket-{spoilt['id']}"]
    assert (await desk.client.get_workflow_handle(f"ticket-{sound['id']}").describe()).workflow_type == "Ticket"


async def test_a_notification_that_cannot_be_read_holds_up_no_other(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    for _ in range(3):
        await acme.open(category="general")
    spoilt = (await rows(desk, acme, Outbox, col(Outbox.topic) == Topic.DELIVERY))[1].key
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Outbox).where(col(Outbox.key) == spoilt).values(payload={"none": "of ours"}))
    await new_relay("deliveries").relay_once()
    assert [row.key for row in await rows(desk, acme, Outbox, col(Outbox.topic) == Topic.DELIVERY)] == [spoilt]


async def test_a_topic_that_this_release_does_not_know_is_left_to_the_next(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general")
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.text("UPDATE outbox SET topic = 'pigeons'"))
    await new_relay("facts").relay_once()
    async with desk.database.reading(acme.id) as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM outbox WHERE leased_until IS NULL"))).scalar_one() == 2


async def run_out(desk: Desk, merchant_id: int) -> None:
    """Let every lease be over."""
    async with desk.database.reading(merchant_id) as session:
        await session.execute(sa.update(Outbox).values(leased_until=desk.clock.now() - timedelta(seconds=1)))
