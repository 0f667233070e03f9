"""The report's statement against the plainest computation there is, over random cycles."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain, combinations
from math import ceil
from random import Random
from typing import Any

import pytest

from models.reports.sla import Dimension, Figures, Question, report_sla
from models.sla.policy import Metric
from models.sla.tables import SlaClock
from models.tickets.lifecycle import Priority
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.frozen import NOON
from tests.support.isolated import Isolated

CYCLES = 600
FIELDS = {
    Dimension.METRIC: ("metric", "metric"),
    Dimension.PRIORITY: ("priority", "attributed_priority"),
    Dimension.TEAM: ("team_id", "attributed_team_id"),
    Dimension.AGENT: ("agent_id", "attributed_agent_id"),
}
GROUPINGS = list(chain.from_iterable(combinations(Dimension, size) for size in range(len(Dimension) + 1)))
NARROWED: list[dict[str, Any]] = [
    {},
    {"metric": (Metric.RESOLUTION,)},
    {"priority": (Priority.LOW, Priority.HIGH), "team_id": (1,)},
    {"agent_id": (11, 12, 99)},
    {"organizer_id": (77, 78)},
    {"allowed_organizer_ids": (77,), "organizer_id": (77, 78)},
    {"allowed_organizer_ids": ()},
]


@pytest.fixture(scope="module")
async def filled(quiet: tuple[Isolated, Desk]) -> tuple[Desk, Merchant]:
    """Acme with one ticket of very many cycles."""
    desk, random = quiet[1], Random(7)  # noqa: S311 - the same cycles each time
    acme = await desk.merchant()
    ticket = int((await acme.open(category="general"))["id"])
    async with desk.database.writing(acme.id) as session:
        for cycle in range(2, CYCLES):
            session.append(SlaClock, merchant_id=acme.id, ticket_id=ticket, cycle=cycle, **_random_cycle(random))
        await session.write()
    return desk, acme


def _random_cycle(random: Random) -> dict[str, Any]:
    used = random.choice((random.randrange(40), random.randrange(40_000)))
    breached_at = random.choice((None, None, NOON + timedelta(minutes=random.randrange(600))))
    stopped_at = random.choice((None, (breached_at or NOON) + timedelta(minutes=random.randrange(600))))
    return {
        "metric": random.choice(list(Metric)),
        "target": timedelta(hours=1),
        "spent": timedelta(seconds=used, milliseconds=random.randrange(1000)),
        "warned_fraction": 0,
        "is_withdrawn": False,
        "reached": {},
        "is_acknowledged": False,
        "breached_at": breached_at,
        "stopped_at": stopped_at,
        "cancelled_at": None if stopped_at else random.choice((None, NOON + timedelta(hours=20))),
        "attributed_priority": random.choice(list(Priority)),
        "attributed_team_id": random.choice((1, 2, None)),
        "attributed_agent_id": random.choice((11, 12, 13, None)),
        "attributed_organizer_id": random.choice((77, 78, None)),
        "used_seconds": used if stopped_at else None,
    }


@pytest.mark.parametrize("narrowed", NARROWED, ids=str)
async def test_the_statement_finds_what_counting_by_hand_finds(narrowed: dict[str, Any], filled: tuple[Desk, Merchant]) -> None:
    desk, acme = filled
    cycles = await rows(desk, acme, SlaClock)
    for group_by in GROUPINGS:
        for first, last in ((0, 20), (2, 9), (5, 5.5), (30, 40)):
            since, until = NOON + timedelta(hours=first), NOON + timedelta(hours=last)
            question = Question(since=since, until=until, group_by=group_by, **narrowed)
            async with desk.database.reading(acme.id) as session:
                found = await report_sla(session, question)
            assert sorted(found, key=str) == sorted(_by_hand(cycles, question), key=str), question


def _by_hand(cycles: Sequence[SlaClock], question: Question) -> list[Figures]:
    groups: dict[tuple[Any, ...], list[SlaClock]] = defaultdict(list)
    for cycle in cycles:
        if _is_asked_for(cycle, question) and (_is_within(question, cycle.stopped_at) or _is_within(question, cycle.breached_at)):
            groups[tuple(getattr(cycle, FIELDS[each][1]) for each in question.group_by)].append(cycle)
    if not question.group_by and not groups:
        groups[()] = []
    names = [FIELDS[each][0] for each in question.group_by]
    return [_figures(dict(zip(names, key, strict=True)), group, question) for key, group in groups.items()]


def _figures(by: dict[str, Any], group: list[SlaClock], question: Question) -> Figures:
    stopped = [cycle for cycle in group if _is_within(question, cycle.stopped_at)]
    used = sorted(int(cycle.spent.total_seconds()) for cycle in stopped)
    met = sum(cycle.breached_at is None for cycle in stopped)
    breached = sum(_is_within(question, cycle.breached_at) for cycle in group)
    return Figures(by, met, breached, _nearest_rank(used, 5), _nearest_rank(used, 9))


def _nearest_rank(ordered: list[int], tenths: int) -> int | None:
    return ordered[ceil(len(ordered) * tenths / 10) - 1] if ordered else None


def _is_within(question: Question, at: datetime | None) -> bool:
    return at is not None and question.since <= at < question.until


def _is_asked_for(cycle: SlaClock, question: Question) -> bool:
    wanted = question.model_dump(include={"metric", "priority", "team_id", "agent_id", "organizer_id"})
    named = {"metric": cycle.metric} | {name: getattr(cycle, f"attributed_{name}") for name in wanted if name != "metric"}
    fence = question.allowed_organizer_ids
    is_allowed = fence is None or cycle.attributed_organizer_id in fence
    return is_allowed and all(not values or named[name] in values for name, values in wanted.items())
