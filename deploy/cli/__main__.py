"""``python -m deploy.cli``, which ``helpdesk`` calls."""

from deploy.cli.app import app
from deploy.leave import leave

if __name__ == "__main__":
    try:
        app(prog_name="helpdesk")
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
