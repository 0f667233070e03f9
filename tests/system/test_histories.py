"""Random histories on the whole stack and on the oracle, which is told what the audit says. `make prove` plays some hundred."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from models.tickets.lifecycle import REOPENED_BY_REPORTER, Status
from tests.sla.oracle_ticket import OracleTicket
from tests.sla.oracle_values import PlainConfiguration
from tests.sla.sla_histories import History, histories
from tests.support.auditor import audit
from tests.support.desk import Desk
from tests.system.driver_stack import PARTS, Life, plain_versions, window_of, write_configuration

COUNT = int(os.environ.get("HISTORIES", "4"))
SEED = int(os.environ.get("HISTORIES_SEED", "1"))
LATE = timedelta(seconds=30)
"""How late a deadline may be acted on, on a busy machine."""


def sample(count: int) -> list[History]:
    """Hypothesis varies what it has just drawn: one history of each configuration is enough. The longer ones prove more."""
    found: dict[object, History] = {}

    @seed(SEED)
    @given(history=histories)
    @settings(max_examples=6 * count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    def keep(history: History) -> None:
        found[history.versions] = history

    keep()
    return sorted(found.values(), key=lambda history: len(history.steps))[-2 * count :: 2]


@pytest.mark.parametrize("number", range(COUNT))
async def test_the_stack_agrees_with_the_oracle(desk: Desk, number: int) -> None:
    history = SAMPLE[number]
    first = window_of(history, datetime.now(UTC))
    merchant = await desk.merchant()
    await write_configuration(desk, merchant, history)
    life = Life(desk, merchant, history, first)
    await life.live()
    oracle = told(await merchant.whole(life.ticket["id"], "/events"), plain_versions(history, first))
    now = desk.clock.now()
    oracle.walk(micros(now))
    oracle.is_down = False
    oracle.look()
    cycles = await merchant.whole(life.ticket["id"], "/sla")
    assert [seen(cycle) for cycle in cycles] == sorted(expected(oracle))
    assert_used(cycles, oracle, await merchant.whole(life.ticket["id"], "/sla/timeline"))
    assert_rungs((await merchant.get(life.ticket["id"], "/escalations"))["data"], oracle)
    await audit(desk, merchant)


SAMPLE = sample(COUNT)


def told(events: list[dict[str, Any]], versions: list[PlainConfiguration]) -> OracleTicket:
    """The oracle, told from the audit what people did and when. It acts on deadlines when Temporal did, and so finds a forgotten one."""
    by_name = {configuration.name: configuration for configuration in versions}
    opened = events[0]["changes"]
    oracle = OracleTicket(micros(events[0]["at"]), by_name[opened["category"]], opened["priority"])
    oracle.is_down = True
    for event in events[1:]:
        oracle.walk(micros(event["at"]))
        tell(oracle, event, by_name)
    return oracle


def tell(oracle: OracleTicket, event: dict[str, Any], by_name: dict[str, PlainConfiguration]) -> None:
    kind, changes, by = event["kind"], event["changes"], event["actor"]["kind"]
    if kind == "ticket.replied" and by == "reporter":
        if Status(oracle.status) not in REOPENED_BY_REPORTER:  # else it reopens the ticket first: the next event
            oracle.reporter_comments()
    elif kind == "ticket.replied":
        oracle.reply()
    elif kind == "escalation.acknowledged":
        oracle.acknowledge(changes["level"])
    elif kind == "ticket.snoozed":
        oracle.snooze(micros(changes["until"]))
    elif kind.startswith("escalation.") and by != "system":
        oracle.escalate_by_hand(changes["level"])
    elif kind == "ticket.edited":
        configuration = by_name[changes["category"][1]] if "category" in changes else oracle.configuration
        oracle.retime(configuration, changes["priority"][1] if "priority" in changes else oracle.priority)
    elif kind.startswith(("sla.", "escalation.")):
        oracle.is_down = False
        oracle.look()
        oracle.is_down = True
    elif "status" in changes and kind != "ticket.woken":  # the oracle ends a snooze by itself, at its instant
        transition(oracle, kind, changes)


def transition(oracle: OracleTicket, kind: str, changes: dict[str, Any]) -> None:
    if kind == "ticket.reopened":
        oracle.reopen()
    else:
        oracle.set_status(changes["status"][1])
    if changes.get("reason") == "reporter's reply":
        oracle.reporter_comments()


def seen(cycle: dict[str, Any]) -> tuple[Any, ...]:
    instants = (micros(cycle[name]) for name in ("startedAt", "dueAt", "breachedAt", "stoppedAt"))
    return cycle["metric"], cycle["cycle"], cycle["status"], cycle["targetSeconds"], *instants


def expected(oracle: OracleTicket) -> Iterator[tuple[Any, ...]]:
    for c in oracle.cycles:
        yield c.metric, c.number, c.status, c.target // PARTS, c.started, c.due, c.breached, c.stopped


def assert_used(cycles: list[dict[str, Any]], oracle: OracleTicket, segments: list[dict[str, Any]]) -> None:
    """To the second; the segments of a cycle, from when it last began, sum to its elapsed time."""
    used = {(c.metric, c.number): c.used / PARTS for c in oracle.cycles}
    for cycle in cycles:
        key = cycle["metric"], cycle["cycle"]
        own = [segment for segment in segments if (segment["metric"], segment["cycle"]) == key]
        begun = max((place for place, segment in enumerate(own) if segment["kind"] == "restarted"), default=0)
        assert cycle["elapsedSeconds"] == pytest.approx(used[key], abs=2)
        assert sum(segment["seconds"] for segment in own[begun:]) == pytest.approx(used[key], abs=2)


def assert_rungs(escalations: list[dict[str, Any]], oracle: OracleTicket) -> None:
    """A manual escalation counts if its metric had a live clock; it has no due instant."""
    taken = [(e["metric"], e["level"], micros(e["dueAt"]), e["outcome"] == "superseded") for e in escalations if e["metric"]]
    assert sorted(taken, key=str) == sorted(((r.metric, r.level, r.due, r.is_superseded) for r in oracle.rungs), key=str)
    assert all(parsed(e["takenAt"]) - parsed(e["dueAt"]) < LATE for e in escalations if e["dueAt"])


def micros(at: str | datetime | None) -> Any:
    """Microseconds since 1970."""
    return None if at is None else (parsed(at) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def parsed(at: str | datetime) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)
