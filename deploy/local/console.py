"""What the local system says to the person in front of it."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from deploy.local.layout import Layout

_WORKING_DAY = 12 * 3600
_GREETING = """
  API           {base}/v1/api/helpdesk
  API docs      {base}/docs
  Temporal UI   http://127.0.0.1:{ui}
  mail          {base}/dev/mail
  logs          {logs}

A reporter of the demo merchant, for twelve hours:

export TOKEN={token}

The first ticket, whose whole ladder of escalations passes in a quarter of a minute:

curl -s {base}/v1/api/helpdesk/tickets -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"subject": "The till does not open", "description": "Since this morning.", "category": "demo-fast"}}'

Ctrl-C stops everything; the next `make up` goes on from there.
"""


def say(text: str) -> None:
    print(text, flush=True)


def greet(layout: Layout) -> None:
    """Print where everything is, and how to open the first ticket."""
    world = _ask(f"{layout.base}/dev/world")
    demo = next(merchant["id"] for merchant in world["merchants"] if merchant["slug"] == "demo")
    wanted = {
        "sub": "reporter-rita",
        "name": "Rita Reporter",
        "email": "rita@customer.example",
        "merchantIds": [demo],
        "roles": ["reporter"],
    }
    token = _ask(f"{layout.base}/dev/identity/token", wanted | {"expiresIn": _WORKING_DAY})["accessToken"]
    logs = layout.log("any").parent
    say(_GREETING.format(base=layout.base, ui=layout.temporal_ui_port, logs=logs, token=token))


def _ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    content = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
        return dict(json.load(answer))


class ErrorsOf:
    """The errors in a process's log, shown as they come."""

    def __init__(self, name: str, log: Path) -> None:
        self._name, self._log, self._read = name, log, 0

    def show(self) -> None:
        """Print the error lines that were written since the last call."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    break  # half written: next time
                self._read += len(line)
                if text := _error(line):
                    say(f"{self._name}: {text}")


def _error(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None  # not one of our structured lines: it is in the file
    is_error = isinstance(entry, dict) and str(entry.get("level")).lower() in {"error", "critical"}
    return str(entry.get("event") or entry.get("message") or entry) if is_error else None
