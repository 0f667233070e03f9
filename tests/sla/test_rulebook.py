"""The rulebook of a process holds what is in force; older versions are read when asked for, and what is kept is bounded in bytes."""

import threading
import tracemalloc
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.audit import SYSTEM, Change
from models.cache import ByteCache
from models.db.session import TenantSession
from models.sla import definitions as read
from models.sla import rulebook as book
from models.sla.calendar import Calendar
from models.sla.configuration import held, publish_next
from models.sla.definitions import Key, definition, definitions
from models.sla.policy import SlaPolicy
from models.sla.tables import ConfigurationKind
from tests.sla.configuration_cast import calendar, policy, published
from tests.support.desk import Desk, Merchant


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> ByteCache[Any, Any]:
    """A process that has just begun, with room for a few definitions only."""
    cache: ByteCache[Any, Any] = ByteCache(30_000)
    monkeypatch.setattr(read, "kept", cache)
    monkeypatch.setattr(book, "_kept", ByteCache(1_000_000))
    return cache


async def test_a_rulebook_is_read_without_calendars_and_older_versions(kept: ByteCache[Any, Any], desk: Desk, acme: Merchant) -> None:
    made = await published(acme, "/calendars", calendar())
    for _ in range(3):
        await published(acme, f"/calendars/{made['id']}/versions", calendar())
    async with desk.database.reading(acme.id) as session:
        await book.rulebook(session)
    assert [kept.get((acme.id, Key(int(made["id"]), version))) for version in (1, 4)] == [None, None]
    async with desk.database.reading(acme.id) as session:
        found = await definition(session, Key(int(made["id"]), 2), Calendar)
    assert found.name == "Office"
    assert kept.get((acme.id, Key(int(made["id"]), 2))) is found


async def test_what_is_kept_stays_within_its_bound(kept: ByteCache[Any, Any], desk: Desk, acme: Merchant) -> None:
    made = await published(acme, "/calendars", calendar())
    for _ in range(19):
        await published(acme, f"/calendars/{made['id']}/versions", calendar())
    keys = [Key(int(made["id"]), version) for version in range(1, 21)]
    async with desk.database.reading(acme.id) as session:
        assert (await definitions(session, keys)).keys() == set(keys)
    assert 0 < kept.size <= 30_000
    assert kept.get((acme.id, keys[0])) is None
    assert kept.get((acme.id, keys[-1]))


async def test_tickets_are_opened_although_nothing_fits_into_the_cache(
    kept: ByteCache[Any, Any], acme: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "kept", ByteCache(0))
    monkeypatch.setattr(book, "_kept", ByteCache(0))
    made = await published(acme, "/sla-policies", await policy(acme))
    ticket = await acme.open(category="general")
    assert (await acme.get(ticket["id"], "/sla"))["data"][0]["policyId"] == made["id"]


async def test_definitions_are_parsed_beside_the_event_loop(
    kept: ByteCache[Any, Any], desk: Desk, acme: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, parse, threads = await published(acme, "/calendars", calendar()), read._parse, []

    def watched(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return parse(*args)

    monkeypatch.setattr(read, "_parse", watched)
    async with desk.database.reading(acme.id) as session:
        await definition(session, Key(int(made["id"]), 1), Calendar)
    assert threads
    assert threading.get_ident() not in threads


async def test_a_version_that_does_not_exist_is_an_error(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    theirs = await published(globex, "/calendars", calendar())
    async with desk.database.reading(globex.id) as session:
        await definition(session, Key(int(theirs["id"]), 1), Calendar)
    async with desk.database.reading(acme.id) as session:
        for key in (Key(9, 1), Key(int(theirs["id"]), 1)):
            with pytest.raises(LookupError):
                await definition(session, key, Calendar)


async def test_what_a_transaction_reads_of_its_own_versions_is_not_kept(kept: ByteCache[Any, Any], desk: Desk, acme: Merchant) -> None:
    made = await published(acme, "/sla-policies", await policy(acme))
    second = Key(int(made["id"]), 2)
    change = Change(by=SYSTEM, at=datetime.now(UTC))
    with suppress(ConnectionError):
        async with desk.database.writing(acme.id) as session:
            before = await held(session, ConfigurationKind.POLICY, second.id)
            await publish_next(session, before, SlaPolicy.model_validate(before.definition | {"name": "Undone"}), change)
            assert await names(session, second) == ["Undone", "Undone"]
            raise ConnectionError
    await published(acme, f"/sla-policies/{second.id}/versions", await policy(acme, name="Done"))
    async with desk.database.reading(acme.id) as session:
        assert await names(session, second) == ["Done", "Done"]


async def names(session: TenantSession, key: Key) -> list[str]:
    """Of a version of a policy, and of the policy that is tried first."""
    return [(await definition(session, key, SlaPolicy)).name, (await book.rulebook(session)).ordered[0].policy.name]


def test_a_definition_takes_no_more_memory_than_is_counted() -> None:
    hours = [(f"0{hour}:00", f"0{hour}:01") for hour in range(4)]
    holidays = [{"date": date(2026, 1, 1) + timedelta(days=day), "name": "", "intervals": hours} for day in range(500)]
    largest = Calendar.model_validate({"name": "Office", "timeZone": "UTC", "weekly": {"mon": hours}, "holidays": holidays})
    smallest = SlaPolicy(name="Ours", calendar_id=1, targets={})
    for each in (largest, smallest):
        text = each.model_dump_json(by_alias=True)
        tracemalloc.start()
        values = [type(each).model_validate_json(text) for _ in range(5)]
        taken = tracemalloc.get_traced_memory()[0] / len(values)
        tracemalloc.stop()
        assert taken < read.in_memory(len(text)) < 4 * taken
