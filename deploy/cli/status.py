"""Whether the system can serve."""

import typer

from deploy.cli.api import api_of
from deploy.cli.output import facts, show
from deploy.cli.verb import ExitCode

_CODES = {"ok": ExitCode.DONE, "degraded": ExitCode.FAILED}


def show_status(ctx: typer.Context) -> None:
    """Say whether the API is ready: its database, the identity service's keys, Temporal.

    It ends with 0 if all is well, with 1 if tickets are taken but Temporal is away, and with 6 if it is not ready.

    Example: `helpdesk status --url https://desk.example`
    """
    with api_of(ctx) as api:
        found = api.readiness()
    show(ctx, found, facts(found))
    raise typer.Exit(_CODES.get(found["status"], ExitCode.AWAY))
