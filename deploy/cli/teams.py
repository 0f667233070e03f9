"""The teams of a merchant."""

from typing import Annotated

import typer

from deploy.cli.api import Api, api_of, is_id, part, retire
from deploy.cli.output import facts, show, table
from deploy.cli.verb import CommandError, ExitCode, Verb

app = typer.Typer(help="Teams of a merchant.", no_args_is_help=True)
Which = Annotated[str, typer.Argument(help="Its name or its id.", metavar="TEAM")]


def team_id(api: Api, team: str) -> str:
    """By its name, or its id.

    Raises:
        CommandError: none has this name, or several have it.
    """
    if is_id(team):
        return team
    found = [row["id"] for row in api.rows("/teams") if row["name"] == team]
    if len(found) != 1:
        says = f"There are {len(found)} teams of the name {team}: take the id, from `helpdesk teams list`."
        raise CommandError(says, ExitCode.REFUSED if found else ExitCode.NOT_FOUND)
    return str(found[0])


@app.command("list", cls=Verb)
def list_teams(ctx: typer.Context) -> None:
    """List the teams that are not retired.

    Example: `helpdesk teams list --merchant acme`
    """
    with api_of(ctx) as api:
        rows = api.rows("/teams")
    show(ctx, rows, table({"id": "id", "name": "name"}, rows))


@app.command("add", cls=Verb)
def add_team(ctx: typer.Context, name: Annotated[str, typer.Argument(help="What people call it.")]) -> None:
    """Add a team.

    Example: `helpdesk teams add Tills --merchant acme`
    """
    with api_of(ctx) as api:
        made = api.post("/teams", {"name": name})
    show(ctx, made, facts(made))


@app.command("rename", cls=Verb)
def rename_team(ctx: typer.Context, team: Which, name: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Rename a team.

    Example: `helpdesk teams rename Tills "Tills and scales" --merchant acme`
    """
    with api_of(ctx) as api:
        changed = api.patch(f"/teams/{part(team_id(api, team))}", {"name": name})
    show(ctx, changed, facts(changed))


@app.command("retire", cls=Verb)
def retire_team(ctx: typer.Context, team: Which) -> None:
    """Retire a team on which no open ticket, agent or category stands.

    Example: `helpdesk teams retire Tills --merchant acme`
    """
    retire(ctx, team, lambda api: f"/teams/{part(team_id(api, team))}")
