"""The settings, looked at before anything starts."""

import typer

from deploy.cli.output import show
from deploy.cli.verb import ExitCode, MachineVerb

app = typer.Typer(help="Settings.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Settings: the environment variables `APP_ENV_*`."""


@app.command("check", cls=MachineVerb)
def check_config(ctx: typer.Context) -> None:
    """Say all that is wrong with the settings of this environment at once: a line for each, never with its value.

    It looks at what the API, the worker, `migrate` and `setup` read, and connects to nothing.

    Example: `helpdesk config check && docker compose up -d`
    """
    from pydantic import ValidationError

    from models.platform.settings import Settings, SetupSettings, explain

    wrong: set[str] = set()
    for kind in (Settings, SetupSettings):
        try:
            kind()
        except ValidationError as error:
            wrong |= set(explain(error).splitlines()[1:])
    lines = sorted(each.strip() for each in wrong)
    show(ctx, {"isValid": not lines, "wrong": lines}, "\n".join(lines) or "the settings are valid")
    raise typer.Exit(ExitCode.WRONG if lines else ExitCode.DONE)
