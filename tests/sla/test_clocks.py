"""What clocks do, a row of golden/sla_by_hand.csv each: reasoned out by hand, and the same for `models.sla` and for the oracle.

A ticket of normal priority has targets of 2 hours for the first response, 4 for the next one and 10 for the resolution; high priority
halves them, low priority doubles them. Warnings come at 50 and 75 %, rungs at 75, 100 and 125 % of the resolution. Instants are hours
after the opening. A clock reads: its status, the hours used, when it is or was due, since when it is breached. The calendar is always open
unless a row names another one of sla_histories.py, and when the ticket was opened.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.sla.sla_histories import PRIORITIES, WINDOWS, History, PlainPolicy, Step, Version, default_ladder
from tests.sla.sla_proof import Play, ledger_sums_up, of_driver, of_oracle

HOUR = 3600
ROWS = list(csv.DictReader((Path(__file__).parent / "golden" / "sla_by_hand.csv").read_text().splitlines()))
NORMAL = (2 * HOUR, 4 * HOUR, 10 * HOUR)
VERSIONS = ("usual", "none", "farther", "still")


def versions(on_reopen: str, calendar: str) -> tuple[Version, ...]:
    """The usual targets; no policy; 16 hours for the resolution; a resolution clock that is paused while the ticket is open."""
    targets = tuple(tuple(share * target // 2 for target in NORMAL) for share in (4, 2, 1, 1))
    policy = PlainPolicy(targets, ((), (), ("pending", "on_hold")), (0.5, 0.75), on_reopen)  # type: ignore[arg-type] # three each
    farther = policy._replace(targets=((2 * HOUR, 4 * HOUR, 16 * HOUR),) * 4)
    still = policy._replace(pause_on=((), (), ("open",)))
    return tuple(Version(each, calendar, default_ladder) for each in (policy, None, farther, still))


def steps(history: str) -> list[tuple[float, Step]]:
    """Hours after the opening, and the step."""
    return [(float(hours), step(name)) for hours, name in (each.split() for each in history.split("; "))]


def step(name: str) -> Step:
    if name in PRIORITIES:
        return Step(0, "priority", PRIORITIES.index(name))
    return Step(0, "configuration", VERSIONS.index(name)) if name in VERSIONS else Step(0, name)


def opening(at: str | None) -> tuple[int, int]:
    """The window, and the seconds after its beginning."""
    opened = datetime.fromisoformat(at) if at else WINDOWS[0] + timedelta(days=1)
    window = max(number for number, first in enumerate(WINDOWS) if first < opened)
    return window, int((opened - WINDOWS[window]).total_seconds())


@pytest.mark.parametrize("row", ROWS, ids=[row["rule"] for row in ROWS])
def test_the_clocks_of_a_ticket(row: dict[str, str]) -> None:
    window, after = opening(row["opened"])
    play = Play(History(window, after, PRIORITIES.index("normal"), versions(row["on_reopen"], row["calendar"] or "always"), ()))
    for hours, what in steps(row["history"]):
        at = play.opened + int(hours * HOUR)
        play.driver.walk(at)
        play.oracle.walk(at)
        play.do(what)
    seen, expected = list(of_driver(play.driver, play.plain[0].open_time.end)), list(of_oracle(play.oracle))
    clocks, rungs = said(play, seen)
    assert clocks == row["clocks"]
    assert rungs == row["rungs"]
    assert seen == expected, "the warnings, too"
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
