"""The alerts' rules at sixty times their pace, so that a rehearsal waits seconds where an operator waits minutes.

Each minute becomes a second: how long an expression has to be true (``for``), the windows of rates and increases, ``offset``, and the
thresholds of gauges that are in seconds. What is compared, how, and with which other number stays as in deploy/prometheus/rules.yaml.
"""

import re

PACE = 60
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(for: |\[|offset )(\d+)([smhd])\b")
_GAUGE_IN_SECONDS = re.compile(r"(helpdesk_\w+_seconds\) > )(\d+)")


def hurried(rules: str) -> str:
    """``rules``: the text of a file of rules. Returns such a text."""
    faster = _DURATION.sub(lambda found: f"{found[1]}{_fewer(int(found[2]) * _SECONDS[found[3]])}s", rules)
    return _GAUGE_IN_SECONDS.sub(lambda found: f"{found[1]}{_fewer(int(found[2]))}", faster)


def _fewer(seconds: int) -> int:
    return max(1, seconds // PACE)
