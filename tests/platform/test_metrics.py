"""What is counted has happened; what is looked up is there, or is not a number."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from prometheus_client import Counter
from starlette.requests import Request

from models.db.pool import engine_of
from models.platform import scrape
from models.platform.gauges import Gauges
from models.platform.metrics import REGISTRY, TABLE
from models.platform.scrape import Scrape
from tests.platform.scraped import read
from tests.support.counted import counted
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.system.verbs import do

TRIED = Counter("tried", "Of this test alone.", registry=None)
PRIVATE = ("merchant", "ticket", "agent", "reporter", "id", "subject", "address", "email")


@pytest.fixture
async def gauges(quiet: tuple[Isolated, Desk]) -> AsyncIterator[Gauges]:
    gauges = Gauges(quiet[0].urls[1])
    yield gauges
    await gauges.aclose()


async def test_what_is_rolled_back_is_not_counted_and_what_is_committed_is_counted_once(desk: Desk, acme: Merchant) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        await counting(desk, acme, "SELECT 1 / 0")
    assert total(TRIED) == 0
    await counting(desk, acme, "SELECT 1")
    assert total(TRIED) == 1


async def counting(desk: Desk, acme: Merchant, statement: str) -> None:
    async with desk.database.reading(acme.id) as session:
        session.once_committed(TRIED.inc)
        await session.execute(sa.text(statement))
        assert total(TRIED) == 0


def total(counter: Counter) -> float:
    return next(each.value for family in counter.collect() for each in family.samples)


async def test_clocks_and_rungs_are_counted_by_what_happened_to_them(quiet: tuple[Isolated, Desk]) -> None:
    acme = await quiet[1].merchant()
    started = counted("helpdesk_sla_clock_changes_total", metric="resolution", change="started")
    by_hand = {"level": 1, "cause": "manual", "outcome": "notified"}
    taken = counted("helpdesk_escalations_total", **by_hand)
    ticket = await acme.open(category="general")
    await do(acme.ana, ticket, "escalate", {"reason": "The shop is shut."})
    assert counted("helpdesk_sla_clock_changes_total", metric="resolution", change="started") == started + 1
    assert counted("helpdesk_escalations_total", **by_hand) == taken + 1


async def test_gauges_tell_what_waits_and_what_is_overdue(quiet: tuple[Isolated, Desk], gauges: Gauges) -> None:
    isolated, desk = quiet
    await gauges.look()
    overdue, rows = counted("helpdesk_deadlines_overdue"), counted("helpdesk_outbox_rows", topic="ticket")
    running, queued = counted("helpdesk_tickets_at_work", sla_status="running"), counted("helpdesk_tickets_queued")
    acme = await desk.merchant()
    desk.clock.ahead = -timedelta(minutes=5)
    ticket = await acme.open()
    desk.clock.ahead = timedelta()
    await gauges.look()
    assert counted("helpdesk_database_gauges_up") == 1
    assert counted("helpdesk_deadlines_overdue") == overdue + 1
    assert counted("helpdesk_deadline_oldest_overdue_seconds") >= 290
    assert counted("helpdesk_outbox_rows", topic="ticket") == rows + 1
    assert counted("helpdesk_outbox_oldest_age_seconds", topic="ticket") >= 290
    assert counted("helpdesk_tickets_at_work", sla_status="running") == running + 1
    assert counted("helpdesk_tickets_queued") == queued + 1
    assert counted("helpdesk_notifications_open", status="pending") >= 1
    script = f"DELETE FROM outbox WHERE merchant_id = {acme.id}; UPDATE ticket SET next_deadline_at = NULL WHERE id = {ticket['id']}"  # noqa: S608 - numbers of ours
    await asyncio.to_thread(isolated.postgres.psql, script, isolated.database)


async def test_a_database_that_does_not_answer_leaves_no_old_figure(quiet: tuple[Isolated, Desk], gauges: Gauges) -> None:
    isolated, _ = quiet
    await gauges.look()
    lock = engine_of(isolated.postgres.url("helpdesk_owner", isolated.database), pool_size=1)
    async with lock.begin() as connection:
        await connection.exec_driver_sql("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        await gauges.look()
    await lock.dispose()
    assert counted("helpdesk_database_gauges_up") == 0
    assert math.isnan(counted("helpdesk_outbox_rows", topic="ticket"))
    assert math.isnan(counted("helpdesk_deadline_oldest_overdue_seconds"))
    await gauges.look()
    assert counted("helpdesk_database_gauges_up") == 1
    assert not math.isnan(counted("helpdesk_outbox_rows", topic="ticket"))


async def test_however_many_scrape_the_parts_are_looked_at_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(1)

    scraping = Scrape([look])
    request = Request({"type": "http"})
    responses = await asyncio.gather(*(scraping.response(request) for _ in range(20)))
    assert len(looks) == 1
    assert "helpdesk_http_requests" in read(bytes(responses[0].body).decode())
    monkeypatch.setattr(scrape, "KEPT_SECONDS", 0.0)
    scraping = Scrape([look])
    for _ in range(3):
        await scraping.response(request)
    assert len(looks) == 4


def test_no_label_tells_a_merchant_a_ticket_or_a_person() -> None:
    assert not [(row.name, label) for row in TABLE for label in row.labels if any(word in label.split("_") for word in PRIVATE)]


def test_names_follow_the_conventions_of_prometheus() -> None:
    for row in TABLE:
        assert row.name.startswith(("helpdesk_", "temporal_"))
        assert (row.kind == "counter") == row.name.endswith("_total"), row.name
        assert row.kind != "histogram" or row.name.endswith("_seconds"), row.name
    ours = {family.name for family in REGISTRY.collect() if family.name.startswith("helpdesk_")}
    assert ours == {row.name.removesuffix("_total") for row in TABLE if row.name.startswith("helpdesk_")}
    assert len({row.name for row in TABLE}) == len(TABLE)
