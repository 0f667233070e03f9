"""The cycles and the ledger of a ticket, in pages, however long they are."""

from datetime import timedelta
from itertools import groupby, pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.desk import Desk, Merchant
from tests.system.jobs import HOUR, policy_of_billing
from tests.system.verbs import do

TURNS, ASKED = 3_000, 500
_AN_HOUR = timedelta(hours=1)

# A resolution that was paused and resumed 1,500 times, with a second spent each time; 500 next responses, each given after a second.
_LONG_STORY = """
    INSERT INTO ledgerentry (merchant_id, id, ticket_id, metric, cycle, kind, reason, actor_kind, at, spent, target, is_running,
        policy_id, policy_version, calendar_version)
    SELECT merchant_id, n, id, 'resolution', 1, CASE WHEN n % 2 = 1 THEN 'paused' ELSE 'resumed' END, 'n', 'agent',
        created_at + n * interval '1 ms', (n + 1) / 2 * interval '1 s', interval '10 h', n % 2 = 0, policy_id, 1, 1
    FROM ticket CROSS JOIN generate_series(1, {turns}) AS n WHERE id = {ticket_id}
    UNION ALL
    SELECT merchant_id, {turns} + n, id, 'next_response', (n + 1) / 2, CASE WHEN n % 2 = 1 THEN 'started' ELSE 'stopped' END, 'n', 'agent',
        created_at + n * interval '1.5 ms', (n + 1) % 2 * interval '1 s', interval '10 h', n % 2 = 1, policy_id, 1, 1
    FROM ticket CROSS JOIN generate_series(1, 2 * {asked}) AS n WHERE id = {ticket_id}
"""
_MANY_CYCLES = """
    INSERT INTO slaclock (merchant_id, ticket_id, metric, cycle, target, spent, warned_fraction, is_withdrawn, stopped_at)
    SELECT merchant_id, id, 'next_response', n, interval '10 h', interval '1 s', 0, false, created_at
    FROM ticket CROSS JOIN generate_series(1, {asked}) AS n WHERE id = {ticket_id}
"""


@pytest.fixture
async def long_story(desk: Desk, acme: Merchant) -> str:
    """A ticket with some 4,000 rows in the ledger."""
    await policy_of_billing(acme, 10 * HOUR)
    ticket_id = str((await acme.open(category="billing"))["id"])
    async with desk.database.writing(acme.id) as session:
        for script in (_LONG_STORY, _MANY_CYCLES):
            await session.execute(sa.text(script.format(ticket_id=ticket_id, turns=TURNS, asked=ASKED)))
    return ticket_id


async def test_a_page_of_the_timeline_is_bounded_however_long_it_is(long_story: str, acme: Merchant) -> None:
    response = await acme.lars.get(f"/tickets/{long_story}/sla/timeline")
    assert len(response.json()["data"]) <= 50
    assert response.json()["page"]["hasMore"] is True
    assert "next" in response.links
    assert (await acme.lars.get(f"/tickets/{long_story}/sla/timeline?limit=101")).status_code == 422


async def test_pages_of_any_size_put_together_are_the_same_timeline(long_story: str, acme: Merchant) -> None:
    by_hundred, by_less = [await acme.pages(long_story, "/sla/timeline", limit) for limit in (100, 61)]
    assert max(map(len, by_hundred)) <= 100
    whole = [segment for page in by_hundred for segment in page]
    assert len(whole) == 1 + TURNS + ASKED
    assert whole[:-1] == [segment for page in by_less for segment in page][:-1]  # the last one goes on


async def test_no_segment_is_split_where_a_page_ends(long_story: str, acme: Merchant) -> None:
    whole = await acme.whole(long_story, "/sla/timeline")
    for clock in _by_clock(whole).values():
        assert all(before["to"] == after["from"] for before, after in pairwise(clock))
        assert [segment["seconds"] for segment in clock if segment["to"]] == [float(s["state"] == "running") for s in clock if s["to"]]
    assert sum(segment["seconds"] for segment in whole if segment["to"]) == TURNS / 2 + ASKED


async def test_cycles_come_in_pages_and_of_one_metric(long_story: str, acme: Merchant) -> None:
    pages = await acme.pages(long_story, "/sla")
    assert [len(page) for page in pages] == [100] * 5 + [1]
    keys = [(cycle["metric"], cycle["cycle"]) for page in pages for cycle in page]
    assert keys == [*(("next_response", number) for number in range(1, ASKED + 1)), ("resolution", 1)]
    (resolution,) = (await acme.get(long_story, "/sla?metric=resolution"))["data"]
    assert resolution["status"] == "running"


async def test_each_segment_and_each_cycle_says_which_policy_it_was_under(desk: Desk, acme: Merchant) -> None:
    first = await policy_of_billing(acme, HOUR)
    second = await policy_of_billing(acme, 2 * HOUR, match={"priorities": ["urgent"]})
    ticket = await acme.open(category="billing")
    await acme.lars.patch(f"/tickets/{ticket['id']}", json={"priority": "urgent", "category": "general"}, headers={"If-Match": "*"})
    timeline, (cycle,) = await acme.whole(ticket["id"], "/sla/timeline"), await acme.whole(ticket["id"], "/sla")
    assert [segment["policyId"] for segment in timeline] == [first["id"], second["id"]]
    assert cycle["policyId"] == second["id"]
    assert cycle["policyVersion"] == 1


@pytest.mark.parametrize(("on_reopen", "hours"), [("continue", 2), ("restart", 1)])
async def test_segments_sum_to_what_was_used_from_the_last_restart_on(on_reopen: str, hours: int, desk: Desk, acme: Merchant) -> None:
    await policy_of_billing(acme, 10 * HOUR, onReopen=on_reopen)
    ticket = await acme.opened_and_assigned(category="billing")
    for verb in ("resolve", "reopen"):
        desk.clock.ahead += _AN_HOUR
        await do(acme.ana, ticket, verb)
    desk.clock.ahead += _AN_HOUR
    (cycle,), timeline = await acme.whole(ticket["id"], "/sla"), await acme.whole(ticket["id"], "/sla/timeline")
    begun = max((place for place, segment in enumerate(timeline) if segment["kind"] == "restarted"), default=0)
    assert cycle["elapsedSeconds"] == pytest.approx(hours * HOUR, abs=3)
    assert sum(segment["seconds"] for segment in timeline[begun:]) == pytest.approx(hours * HOUR, abs=3)
    assert sum(segment["seconds"] for segment in timeline) == pytest.approx(2 * HOUR, abs=3)


def _by_clock(segments: list[dict[str, Any]]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    def key(segment: dict[str, Any]) -> tuple[str, int]:
        return segment["metric"], segment["cycle"]

    return {clock: list(own) for clock, own in groupby(sorted(segments, key=key), key=key)}
