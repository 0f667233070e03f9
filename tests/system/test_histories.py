"""Random histories through the real stack and on the naive model, which follows the audit. `make prove` plays some hundred."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from models.tickets.lifecycle import REOPENED_BY_REPORTER, Status
from tests.sla.naive_ticket import NaiveTicket
from tests.sla.plain_sla import PlainConfiguration
from tests.sla.sla_histories import History, histories
from tests.support.auditor import audit
from tests.support.desk import Desk
from tests.system.played import PARTS, Life, plain_versions, window_of, write_configuration

COUNT = int(os.environ.get("HISTORIES", "4"))
SEED = int(os.environ.get("HISTORIES_SEED", "1"))
LATE = timedelta(seconds=30)
"""How long after a deadline a busy machine may act on it, at most."""


def sample(count: int) -> list[History]:
    """Hypothesis likes to vary what it has just drawn: one history of a world is enough. The longer ones prove more."""
    found: dict[object, History] = {}

    @seed(SEED)
    @given(history=histories)
    @settings(max_examples=6 * count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    def keep(history: History) -> None:
        found[history.versions] = history

    keep()
    return sorted(found.values(), key=lambda history: len(history.deeds))[-2 * count :: 2]


@pytest.mark.parametrize("number", range(COUNT))
async def test_the_stack_agrees_with_the_naive_model(desk: Desk, number: int) -> None:
    history = SAMPLE[number]
    first = window_of(history, datetime.now(UTC))
    merchant = await desk.merchant()
    await write_configuration(desk, merchant, history)
    life = Life(desk, merchant, history, first)
    await life.live()
    naive = status_changed(await merchant.whole(life.ticket["id"], "/events"), plain_versions(history, first))
    now = desk.clock.now()
    naive.walk(micros(now))
    naive.is_down = False
    naive.look()
    cycles = await merchant.whole(life.ticket["id"], "/sla")
    assert [seen(cycle) for cycle in cycles] == sorted(expected(naive))
    assert_used(cycles, naive, await merchant.whole(life.ticket["id"], "/sla/timeline"))
    assert_rungs((await merchant.get(life.ticket["id"], "/escalations"))["data"], naive)
    await audit(desk, merchant)


SAMPLE = sample(COUNT)


def status_changed(events: list[dict[str, Any]], versions: list[PlainConfiguration]) -> NaiveTicket:
    """The naive model, told what people did and when. It acts on deadlines whenever the engine did, so it sees what is forgotten."""
    by_name = {configuration.name: configuration for configuration in versions}
    opened = events[0]["changes"]
    naive = NaiveTicket(micros(events[0]["at"]), by_name[opened["category"]], opened["priority"])
    naive.is_down = True
    for event in events[1:]:
        naive.walk(micros(event["at"]))
        tell(naive, event, by_name)
    return naive


def tell(naive: NaiveTicket, event: dict[str, Any], by_name: dict[str, PlainConfiguration]) -> None:
    kind, changes, by = event["kind"], event["changes"], event["actor"]["kind"]
    if kind == "ticket.replied" and by == "reporter":
        if Status(naive.status) not in REOPENED_BY_REPORTER:  # else it moves the ticket first: the next event
            naive.reporter_comments()
    elif kind == "ticket.replied":
        naive.reply()
    elif kind == "escalation.acknowledged":
        naive.acknowledge(changes["level"])
    elif kind == "ticket.snoozed":
        naive.snooze(micros(changes["until"]))
    elif kind.startswith("escalation.") and by != "system":
        naive.escalate_by_hand(changes["level"])
    elif kind == "ticket.edited":
        configuration = by_name[changes["category"][1]] if "category" in changes else naive.configuration
        naive.retime(configuration, changes["priority"][1] if "priority" in changes else naive.priority)
    elif kind.startswith(("sla.", "escalation.")):
        naive.is_down = False
        naive.look()
        naive.is_down = True
    elif "status" in changes and kind != "ticket.woken":  # the model wakes by itself, at the instant that was named
        moved(naive, kind, changes)


def moved(naive: NaiveTicket, kind: str, changes: dict[str, Any]) -> None:
    if kind == "ticket.reopened":
        naive.reopen()
    else:
        naive.set_status(changes["status"][1])
    if changes.get("reason") == "reporter's reply":
        naive.reporter_comments()


def seen(cycle: dict[str, Any]) -> tuple[Any, ...]:
    instants = (micros(cycle[name]) for name in ("startedAt", "dueAt", "breachedAt", "stoppedAt"))
    return cycle["metric"], cycle["cycle"], cycle["status"], cycle["targetSeconds"], *instants


def expected(naive: NaiveTicket) -> Iterator[tuple[Any, ...]]:
    for c in naive.cycles:
        yield c.metric, c.number, c.status, c.target // PARTS, c.started, c.due, c.breached, c.stopped


def assert_used(cycles: list[dict[str, Any]], naive: NaiveTicket, segments: list[dict[str, Any]]) -> None:
    """To the second; the segments of a cycle, from when it last began, sum to its elapsed time."""
    used = {(c.metric, c.number): c.used / PARTS for c in naive.cycles}
    for cycle in cycles:
        key = cycle["metric"], cycle["cycle"]
        own = [segment for segment in segments if (segment["metric"], segment["cycle"]) == key]
        begun = max((place for place, segment in enumerate(own) if segment["kind"] == "restarted"), default=0)
        assert cycle["elapsedSeconds"] == pytest.approx(used[key], abs=2)
        assert sum(segment["seconds"] for segment in own[begun:]) == pytest.approx(used[key], abs=2)


def assert_rungs(escalations: list[dict[str, Any]], naive: NaiveTicket) -> None:
    """One that a person took counts if there was a promise behind it; it was never due."""
    taken = [(e["metric"], e["level"], micros(e["dueAt"]), e["outcome"] == "superseded") for e in escalations if e["metric"]]
    assert sorted(taken, key=str) == sorted(((r.metric, r.level, r.due, r.is_superseded) for r in naive.rungs), key=str)
    assert all(parsed(e["takenAt"]) - parsed(e["dueAt"]) < LATE for e in escalations if e["dueAt"])


def micros(at: str | datetime | None) -> Any:
    """Microseconds since 1970."""
    return None if at is None else (parsed(at) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def parsed(at: str | datetime) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)
