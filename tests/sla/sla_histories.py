"""Random histories: a few SLA configurations, and what happens to a ticket under them within some weeks."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from models.sla.calendar import Calendar
from models.sla.ladder import Ladder, Rung
from models.sla.pinned import SlaConfiguration
from models.sla.policy import Metric, OnReopen, PauseOn, SlaPolicy, Targets
from models.tickets.lifecycle import Priority
from tests.sla.calendar_shapes import BERLIN, SHAPES, WORKDAYS, closed, only, shape
from tests.sla.oracle_calendar import OracleCalendar
from tests.sla.oracle_open_time import OpenTime
from tests.sla.oracle_values import PlainConfiguration, PlainRung

DAY = 86_400
WINDOWS = (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC))
"""Within the four weeks after each the clocks of Europe and of America change."""
WINDOW_DAYS = 75

CALENDARS: dict[str, dict[str, Any]] = {
    **{name: SHAPES[name] for name in ("always", "split", "us", "kolkata")},
    "office": shape(BERLIN, "08:00-18:00", WORKDAYS, holidays=[closed("2026-10-28"), only("2026-03-30", ["10:00", "14:00"])]),
    "nights": shape(BERLIN, "22:00-06:00", holidays=[closed("2026-03-28"), closed("2026-10-31")]),
    "new-york-nights": shape("America/New_York", "20:00-04:30"),
}
METRICS = tuple(metric.value for metric in Metric)
PRIORITIES = tuple(priority.value for priority in Priority)
PAUSES: dict[str, tuple[tuple[str, ...], ...]] = {
    Metric.FIRST_RESPONSE: ((), (), ("pending",), ("new",)),
    Metric.NEXT_RESPONSE: ((), (), ("pending", "on_hold"), ("open",)),
    Metric.RESOLUTION: (("pending", "on_hold"), ("pending", "on_hold"), ("pending",), (), ("new", "on_hold"), ("open", "new")),
}


class Step(NamedTuple):
    """What happens `after` so many seconds. `which` selects the transition, priority, configuration or level; of an outage, a snooze and a
    deletion it is the length."""

    after: int
    kind: str
    which: int = 0


class PlainPolicy(NamedTuple):
    targets: tuple[tuple[int | None, int | None, int | None], ...]
    pause_on: tuple[tuple[str, ...], ...]
    fractions: tuple[float, ...]
    on_reopen: str


class Version(NamedTuple):
    """An SLA configuration that a ticket may have. Without a policy nothing is due."""

    policy: PlainPolicy | None
    calendar: str
    ladder: tuple[PlainRung, ...]


class History(NamedTuple):
    window: int
    opened_after: int
    priority: int
    versions: tuple[Version, ...]
    steps: tuple[Step, ...]


@cache
def calendar_of(name: str) -> Calendar:
    return Calendar.model_validate(CALENDARS[name])


@cache
def open_time_of(name: str, first: datetime, parts: int = 1) -> OpenTime:
    return OpenTime(OracleCalendar(CALENDARS[name]), first, WINDOW_DAYS, parts)


def plain_configuration(version: Version, open_time: OpenTime) -> PlainConfiguration:
    policy = version.policy
    if policy is None:
        return PlainConfiguration(open_time, {}, dict.fromkeys(METRICS, ()))
    targets = {priority: dict(zip(METRICS, row, strict=True)) for priority, row in zip(PRIORITIES, policy.targets, strict=True)}
    pauses = dict(zip(METRICS, policy.pause_on, strict=True))
    return PlainConfiguration(open_time, targets, pauses, policy.fractions, policy.on_reopen, version.ladder)


def configuration(version: Version) -> SlaConfiguration:
    """The same for the driver."""
    if version.policy is None:
        return SlaConfiguration()
    return SlaConfiguration(policy_of(version.policy), calendar_of(version.calendar), ladder_of(version.ladder))


def policy_of(plain: PlainPolicy, **more: Any) -> SlaPolicy:
    fields = [f"{metric}_seconds" for metric in METRICS]
    return SlaPolicy.model_validate(
        {
            "name": "any",
            "calendar_id": 1,
            "targets": {p: Targets(**dict(zip(fields, row, strict=True))) for p, row in zip(PRIORITIES, plain.targets, strict=True)},
            "pause_on": PauseOn.model_validate(dict(zip(METRICS, plain.pause_on, strict=True))),
            "warn_at_fractions": plain.fractions,
            "on_reopen": plain.on_reopen,
        }
        | more,
    )


def ladder_of(rungs: tuple[PlainRung, ...]) -> Ladder | None:
    def rung(plain: PlainRung) -> Rung:
        offset = plain.offset if plain.fraction is None else None
        return Rung(level=plain.level, metric=Metric(plain.metric), at_fraction=plain.fraction, offset_seconds=offset)

    return Ladder(name="any", rungs=tuple(map(rung, rungs))) if rungs else None


# A few durations are frequent, so that things often happen at the very instant at which something is due.
common = st.sampled_from([1200, 3600, 7200, 4 * 3600, 10 * 3600])
targets = st.none() | common | st.integers(2, 3000).map(lambda n: 20 * n)
fractions = st.sampled_from([0.25, 0.5, 0.75, 0.8, 0.95])
policies = st.builds(
    PlainPolicy,
    st.tuples(*[st.tuples(targets, targets, common | st.integers(2, 3000).map(lambda n: 20 * n) | st.none())] * 4),
    st.tuples(*(st.sampled_from(PAUSES[metric]) for metric in METRICS)),
    st.lists(fractions, max_size=3, unique=True).map(tuple),
    st.sampled_from([on_reopen.value for on_reopen in OnReopen]),
)
rungs = st.builds(
    lambda place, fraction, offset: PlainRung(METRICS[place // 3], place % 3 + 1, fraction, offset),
    st.sampled_from([6, 7, 8, 0, 1, 2, 3, 4, 5]),
    st.none() | st.sampled_from([0.5, 0.75, 1.0, 1.25, 2.0]),
    st.sampled_from([-600, 0, 1200, 3600]),
)
default_ladder = tuple(PlainRung("resolution", level, fraction, 0) for level, fraction in ((1, 0.75), (2, 1.0), (3, 1.25)))
ladders = st.just(default_ladder) | st.lists(rungs, max_size=5, unique_by=lambda rung: rung[:2]).map(tuple)
gaps = st.integers(1, 900) | common | st.integers(900, 9 * 3600) | st.integers(0, 2 * DAY)
kinds = st.sampled_from(
    ["transition"] * 9
    + ["comment"] * 4
    + ["reply"] * 3
    + ["priority", "configuration", "outage", "acknowledge", "snooze", "assign"] * 2
    + ["escalate", "delete", "close"],
)


def _step(after: int, kind: str, which: int) -> Step:
    """A deletion never shares its instant with what came before: a restoration tells by the instant what the deletion cancelled."""
    lengths = {"outage": DAY // 12 * which, "snooze": DAY // 12 * which + 600, "delete": DAY // 24 * which}
    return Step(after or int(kind == "delete"), kind, lengths.get(kind, which))


steps = st.builds(_step, gaps, kinds, st.integers(0, 11))


def _versions(
    plain: list[PlainPolicy],
    calendars: list[str],
    two_ladders: tuple[tuple[PlainRung, ...], tuple[PlainRung, ...]],
    luck: int,
) -> tuple[Version, ...]:
    """Four versions that differ in the calendar, in the policy and ladder, or by having no policy."""
    return (
        Version(plain[0], calendars[0], two_ladders[0]),
        Version(plain[0], calendars[-1], two_ladders[0]),
        Version(plain[-1], calendars[len(calendars) // 2], two_ladders[1]),
        Version(None, calendars[0], ()) if luck == 1 else Version(plain[len(plain) // 2], calendars[0], two_ladders[1]),
    )


worlds = st.builds(
    _versions,
    st.lists(policies, min_size=2, max_size=3),
    st.lists(st.sampled_from(list(CALENDARS)), min_size=2, max_size=3, unique=True),
    st.tuples(ladders, ladders),
    st.integers(0, 3),
)
histories = st.builds(
    History,
    st.sampled_from([0, 1]),
    st.integers(0, 28 * DAY),
    st.integers(0, 3),
    worlds,
    st.lists(steps, min_size=3, max_size=15).map(tuple),
)


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def amount(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)
