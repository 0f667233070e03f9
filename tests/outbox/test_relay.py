"""The relay: at least once, never two at the same row, and what arrives twice does no harm."""

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from models.db.pool import POOL_WAIT_SECONDS, USUAL
from models.jobs.messages import JobFacts
from models.outbox import dispatch
from models.outbox.dispatch import BATCH_SECONDS, Dispatched, Dispatcher, OutboxRow, _grouped
from models.outbox.relay import BATCH, DELIVERIES, FACTS, LEASE_SECONDS, Relay, _claim_of
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

    async def _acknowledge(self, rows: Sequence[OutboxRow], done: Dispatched) -> None:
        self.sent += [row.key for row in done.sent]
        if self._dies == "never":
            await super()._acknowledge(rows, done)


NewRelay = Callable[..., WatchedRelay]


@pytest.fixture
async def new_relay(quiet: tuple[Isolated, Desk]) -> AsyncIterator[NewRelay]:
    """A relay for facts, or for deliveries."""
    isolated, desk = quiet
    topics = {"facts": FACTS, "deliveries": DELIVERIES}
    relays: list[WatchedRelay] = []

    def make(what: str, **options: Any) -> WatchedRelay:
        relays.append(
            WatchedRelay(
                isolated.urls[1], Dispatcher(desk.client, retry_seconds=0.05, public_url="http://desk.test"), topics[what], **options
            )
        )
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
    with capture_logs() as lines:
        await new_relay("facts").relay_once()
    scheduled = [line for line in lines if line["event"] == "ticket.monitor_scheduled" and line["merchant_id"] == acme.id]
    assert [line["ticket_id"] for line in scheduled] == [int(sound["id"])]
    assert scheduled[0]["next_deadline_at"] > sound["createdAt"][:19]
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


async def test_a_merchant_with_a_backlog_holds_up_no_other(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    isolated, _ = quiet
    with backlog(isolated, {900_001: 500, 900_002: 1}):
        claimed = await new_relay("facts")._claim()
    of_merchants = Counter(row.merchant_id for row in claimed)
    assert of_merchants == {900_001: BATCH // 2, 900_002: 1}
    assert {row.key for row in claimed if row.merchant_id == 900_001} == {f"ticket-{number}" for number in range(1, BATCH // 2 + 1)}


async def test_more_merchants_than_a_batch_has_rows_take_turns(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    isolated, _ = quiet
    merchants = range(900_001, 900_001 + BATCH + 8)
    with backlog(isolated, dict.fromkeys(merchants, 10)):
        relay = new_relay("facts")
        turns = [{row.merchant_id for row in await relay._claim()} for _ in range(3)]
        assert relay._more_waits
    assert turns == [set(merchants[:BATCH]), set(merchants[BATCH:]), set(merchants[:BATCH])]


@pytest.mark.parametrize("what", ["facts", "deliveries"])
async def test_a_claim_reads_an_index_and_sorts_nothing(what: str, quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    isolated, _ = quiet
    with backlog(isolated, {900_001: 20_000, 900_002: 20_000}, Topic.TICKET if what == "facts" else Topic.DELIVERY):
        plan = await plan_of(new_relay(what), "")
    of_outbox = [line for line in plan if "Sort" in line or "Seq Scan on outbox" in line]
    assert any(f"ix_outbox_{what}" in line for line in plan)
    assert not of_outbox, "\n".join(plan)


@pytest.mark.parametrize("overdue_seconds", [-60, 30], ids=["free", "held"])
async def test_the_cost_of_a_claim_does_not_grow_with_the_backlog(
    quiet: tuple[Isolated, Desk], new_relay: NewRelay, overdue_seconds: int
) -> None:
    """What it reads of 50,000 notifications is what it reads of one batch, also where they have to wait."""
    isolated, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general")
    async with desk.database.reading(acme.id) as session:
        await session.execute(sa.update(Ticket).values(next_deadline_at=ago(overdue_seconds)))
    read = []
    for number in (BATCH, 50_000):
        with backlog(isolated, {acme.id: number}, Topic.DELIVERY):
            plan = await plan_of(new_relay("deliveries"), "ANALYZE, BUFFERS, TIMING OFF")
            read.append(buffers_of(plan))
    isolated.postgres.psql("UPDATE ticket SET next_deadline_at = NULL", isolated.database)
    assert read[1] < read[0] + 100, read


async def test_rows_that_cannot_be_sent_starve_no_sound_one(quiet: tuple[Isolated, Desk], new_relay: NewRelay) -> None:
    """A whole batch of them is older than the sound ticket's row: when the relay looks again after its pause, they are not due."""
    isolated, desk = quiet
    acme = await desk.merchant()
    relay = new_relay("facts")
    with backlog(isolated, {acme.id: BATCH}):
        isolated.postgres.psql("UPDATE outbox SET written_at = now() - interval '1 hour'", isolated.database)
        sound = await acme.open(category="general")
        assert await relay.relay_once() == 0
        waits = "SELECT count(*) FROM outbox WHERE leased_until > now() + interval '9 minutes'"
        assert isolated.postgres.psql(waits, isolated.database) == str(BATCH)
        assert await relay.relay_once() == 1
    assert relay.sent == [f"ticket-{sound['id']}"]


async def plan_of(relay: Relay, how: str) -> Sequence[str]:
    topics = DELIVERIES if relay._topics == list(DELIVERIES) else FACTS
    async with relay._database.connect() as connection:
        explained = sa.text(f"EXPLAIN ({how or 'COSTS'}) {_claim_of(topics).statement}")
        return (await connection.execute(explained, {"after": 0, "lease": 1})).scalars().all()


def buffers_of(plan: Sequence[str]) -> int:
    """Pages that the whole statement touched: the first line about them is its root's."""
    first = next(line for line in plan if "Buffers: shared" in line)
    return sum(int(number) for number in re.findall(r"(?:hit|read)=(\d+)", first))


@contextmanager
def backlog(isolated: Isolated, waiting: Mapping[int, int], topic: Topic = Topic.TICKET) -> Iterator[None]:
    """So many rows of each merchant, the oldest first; nothing else waits, whatever the tests before this one have left."""
    isolated.postgres.psql("DELETE FROM outbox", isolated.database)
    for merchant_id, count in waiting.items():
        isolated.postgres.psql(
            f"INSERT INTO outbox (merchant_id, key, topic, version, payload, written_at)"  # noqa: S608 - numbers of ours
            f" SELECT {merchant_id}, '{topic}-' || n, '{topic}', 1, '{{}}', now() + n * interval '1 ms' FROM generate_series(1, {count}) n",
            isolated.database,
        )
    isolated.postgres.psql("ANALYZE outbox", isolated.database)
    try:
        yield
    finally:
        isolated.postgres.psql("DELETE FROM outbox", isolated.database)


async def test_what_temporal_does_not_answer_is_given_up_before_the_lease_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BATCH_SECONDS", 0.5)
    rows_ = [OutboxRow(1, f"job-{number}", Topic.JOB, 1, a_job(number)) for number in range(BATCH)]
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes every connection, and says nothing
        client = await Client.connect(f"127.0.0.1:{deaf.getsockname()[1]}", lazy=True, data_converter=pydantic_data_converter)
        async with asyncio.timeout(3):
            assert await Dispatcher(client, retry_seconds=1, public_url="http://desk.test", at_once=2).dispatch(rows_) == ([], [])
    assert BATCH_SECONDS + POOL_WAIT_SECONDS + USUAL.statement < LEASE_SECONDS


def a_job(number: int) -> dict[str, object]:
    facts = JobFacts(merchant_id=1, job_id=number, version=1, is_paused=False, has_ended=False, kind="preview", total=1, done=0)
    return facts.model_dump(mode="json")


async def run_out(desk: Desk, merchant_id: int) -> None:
    """Let every lease be over."""
    async with desk.database.reading(merchant_id) as session:
        await session.execute(sa.update(Outbox).values(leased_until=desk.clock.now() - timedelta(seconds=1)))
