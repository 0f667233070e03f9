"""One rehearsal: the fault is made, the alert fires on what Prometheus has scraped, the runbook's commands are run as they are written
there, the repair is made, and the alert is over."""

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.rehearsals import desk
from tests.rehearsals.faults import FAULTS
from tests.rehearsals.stage import Stage, until
from tests.support.isolated import ROOT

_ABSENCE = "helpdeskDeadMansSwitch"
"""It fires always: what alarms is that it does not."""
SECONDS = 150
"""The longest wait for an alert, or for its end."""


class Outcome(NamedTuple):
    """``fired`` and ``over`` are seconds after the fault and after the repair; ``typed`` is what the shell showed."""

    alert: str
    fault: str
    repair: str
    typed: str
    fired: float
    over: float


def rehearse(stage: Stage, alert: str) -> Outcome:
    """Raises AssertionError if the alert is there before, does not come, does not go, or the runbook can't be followed."""
    fault = FAULTS[alert]
    alarms = _alarms(stage, alert)
    until(alarms, lambda is_so: not is_so, seconds=SECONDS)
    steps = fault(stage)
    began = time.monotonic()
    repair = next(steps)
    until(alarms, bool, seconds=SECONDS)
    fired = time.monotonic() - began
    typed = stage.shell(check_of(alert), MERCHANT=desk.SLUG, TICKET=stage.newest_ticket)
    began = time.monotonic()
    next(steps, None)
    until(alarms, lambda is_so: not is_so, seconds=SECONDS)
    over = time.monotonic() - began
    next(steps, None)
    return Outcome(alert, str(fault.__doc__), repair, typed, fired, over)


def check_of(alert: str) -> str:
    """The commands under "Check" in its runbook."""
    page = (ROOT / "docs" / "runbooks" / f"{alert}.md").read_text()
    section = page.partition("\n## Check\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"^```sh\n(.+?)^```$", section, re.MULTILINE | re.DOTALL))


def _alarms(stage: Stage, alert: str) -> Callable[[], bool]:
    if alert == _ABSENCE:
        return lambda: alert not in stage.prometheus.firing()
    return lambda: alert in stage.prometheus.firing()
