"""The rules of the clocks, one a row of golden/sla_by_hand.csv: written by hand, and held by the engine and by the naive model alike.

A ticket of normal priority owes the first response in 2 hours, the next one in 4 and the
resolution in 10; one of high priority in half, one of low priority in double the time. Warnings come at 50 and 75 %, rungs at 75, 100
and 125 % of the resolution. Instants are hours after the opening. A clock reads: its status, the hours used, when it is or was due,
since when it is breached. The calendar is always open unless a row names another, of sla_histories.py, and when the ticket was opened.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.sla.sla_histories import PRIORITIES, WINDOWS, Deed, History, PlainPolicy, Version, default_ladder
from tests.sla.sla_proof import Play, ledger_sums_up, of_engine, of_naive

HOUR = 3600
CONFIGURATIONS = list(csv.DictReader((Path(__file__).parent / "golden" / "sla_by_hand.csv").read_text().splitlines()))
NORMAL = (2 * HOUR, 4 * HOUR, 10 * HOUR)
VERSIONS = ("promised", "none", "farther", "still")


def versions(on_reopen: str, calendar: str) -> tuple[Version, ...]:
    """What is promised; nothing; a resolution in 16 hours; one whose clock stands still while the ticket is open."""
    targets = tuple(tuple(share * target // 2 for target in NORMAL) for share in (4, 2, 1, 1))
    policy = PlainPolicy(targets, ((), (), ("pending", "on_hold")), (0.5, 0.75), on_reopen)  # type: ignore[arg-type] # three each
    farther = policy._replace(targets=((2 * HOUR, 4 * HOUR, 16 * HOUR),) * 4)
    still = policy._replace(pause_on=((), (), ("open",)))
    return tuple(Version(each, calendar, default_ladder) for each in (policy, None, farther, still))


def steps(history: str) -> list[tuple[float, Deed]]:
    """Hours after the opening, and the deed."""
    return [(float(hours), deed(name)) for hours, name in (step.split() for step in history.split("; "))]


def deed(name: str) -> Deed:
    if name in PRIORITIES:
        return Deed(0, "priority", PRIORITIES.index(name))
    return Deed(0, "rules", VERSIONS.index(name)) if name in VERSIONS else Deed(0, name)


def opening(at: str | None) -> tuple[int, int]:
    """The window, and the seconds after its beginning."""
    opened = datetime.fromisoformat(at) if at else WINDOWS[0] + timedelta(days=1)
    window = max(number for number, first in enumerate(WINDOWS) if first < opened)
    return window, int((opened - WINDOWS[window]).total_seconds())


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=[configuration["rule"] for configuration in CONFIGURATIONS])
def test_the_rule(configuration: dict[str, str]) -> None:
    window, after = opening(configuration["opened"])
    play = Play(
        History(window, after, PRIORITIES.index("normal"), versions(configuration["on_reopen"], configuration["calendar"] or "always"), ())
    )
    for hours, what in steps(configuration["history"]):
        at = play.opened + int(hours * HOUR)
        play.engine.walk(at)
        play.naive.walk(at)
        play.do(what)
    engine, naive = list(of_engine(play.engine, play.plain[0].open_time.end)), list(of_naive(play.naive))
    assert said(play, engine) == (configuration["clocks"], configuration["rungs"])
    assert engine == naive, "also in what was warned of"
    ledger_sums_up(play)


def said(play: Play, seen: list[list[tuple]]) -> tuple[str, str]:  # type: ignore[type-arg]
    clocks, rungs, _ = seen

    def hours(at: int) -> str:
        return f"{(at - play.opened) / HOUR:g}"

    def clock(row: tuple) -> str:  # type: ignore[type-arg]
        metric, cycle, status, used, _, due, _, breached, *_ = row
        instants = (f" due {hours(due)}" if due else "") + (f" since {hours(breached)}" if breached else "")
        return f"{metric}/{cycle} {status} {used / HOUR:g}{instants}"

    taken = (f"{level} of {metric}/{cycle} at {hours(due)}{' superseded' * lost}" for metric, cycle, level, due, _, lost in rungs)
    return "; ".join(map(clock, clocks)), "; ".join(taken)
