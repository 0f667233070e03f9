"""docs/command-line.md, made of the commands themselves. ``python -m tests.cli.page`` writes it anew."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "command-line.md"
_HEAD = """# The command line

Made from `deploy/cli` by `python -m tests.cli.page`; a test fails when it is stale.

`make up` puts it into `.venv/bin/helpdesk`; in the image it is `helpdesk`. On the machine of a local system it needs no setting: it finds
the API on port 3000 and gets an operator's token by itself. Elsewhere give `HELPDESK_URL` and `HELPDESK_TOKEN`. What the API has no verb
for (`outbox`, `reconcile`, `resync`, `migrate`, `setup`) reads the settings `APP_ENV_*` and speaks to the database or to Temporal.

```sh
helpdesk merchants add acme --name "Acme Ltd" --time-zone Europe/Berlin
helpdesk agents add ana --name Ana --email ana@acme.example --team Support --merchant acme
helpdesk tickets show 7 --merchant acme
helpdesk notifications replay --filter status=dead --watch --merchant acme
helpdesk status || page-somebody
```

"""


def page() -> str:
    command = [sys.executable, "-m", "typer", "deploy.cli.app", "utils", "docs", "--name", "helpdesk"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60, env={"HELPDESK_URL": ""}).stdout
    return _HEAD + "\n".join(line.rstrip() for line in made.strip().splitlines()) + "\n"


if __name__ == "__main__":
    FILE.write_text(page())
