"""What the local system says to the person in front of it."""

import json
from pathlib import Path

from deploy.local.identity import DevelopmentIdentity, Wanted
from deploy.local.layout import AUDIENCE, DEMO_MERCHANT, Layout
from models.people.roles import Role

_WORKING_DAY = 12 * 3600
_GREETING = """
  API           {base}/v1/api/helpdesk
  API docs      {base}/docs
  Temporal UI   http://127.0.0.1:{ui}
  mail          {base}/dev/mail
  logs          {logs}

`make demo` in another terminal plays one ticket's life. Or open a ticket yourself; a reporter of the demo merchant, for twelve hours:

export TOKEN={token}

curl -s {base}/v1/api/helpdesk/tickets -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"subject": "The till does not open", "description": "Since this morning.", "category": "demo-fast"}}'

Its whole ladder of escalations passes in a quarter of a minute.

Ctrl-C stops everything; the next `make up` goes on from there.
"""


def say(text: str) -> None:
    print(text, flush=True)


def greet(layout: Layout) -> None:
    """Print where everything is, and how to open the first ticket."""
    rita = Wanted(
        sub="reporter-rita",
        name="Rita Reporter",
        email="rita@customer.example",
        merchant_ids=(str(DEMO_MERCHANT),),
        roles=(Role.REPORTER,),
        expires_in=_WORKING_DAY,
    )
    token = DevelopmentIdentity(layout.identity_key, issuer=layout.issuer, audience=AUDIENCE).token(rita)
    say(_GREETING.format(base=layout.base, ui=layout.temporal_ui_port, logs=layout.log("any").parent, token=token))


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
    return str(entry.get("event") or entry) if is_error else None
