"""The categories of a merchant, which lead tickets to teams."""

from typing import Annotated

import typer

from deploy.cli.api import api_of, part, retire
from deploy.cli.output import facts, show, table
from deploy.cli.teams import team_id
from deploy.cli.verb import Verb

app = typer.Typer(help="Categories of a merchant: each leads to a team.", no_args_is_help=True)
Team = Annotated[str, typer.Option(help="The team that it leads to: its name or its id.")]
Name = Annotated[str, typer.Argument(help="Its name.")]


@app.command("list", cls=Verb)
def list_categories(ctx: typer.Context) -> None:
    """List the categories that are not retired, the default first.

    Example: `helpdesk categories list --merchant acme`
    """
    with api_of(ctx) as api:
        rows = api.rows("/categories")
    show(ctx, rows, table({"name": "name", "team": "teamId", "default": "isDefault"}, rows))


@app.command("add", cls=Verb)
def add_category(
    ctx: typer.Context,
    name: Name,
    team: Team,
    is_default: Annotated[bool, typer.Option("--default", help="For tickets that name none.")] = False,
) -> None:
    """Add a category; a retired one of this name comes back.

    Example: `helpdesk categories add tills --team Support --merchant acme`
    """
    with api_of(ctx) as api:
        made = api.post("/categories", {"name": name, "teamId": team_id(api, team), "isDefault": is_default})
    show(ctx, made, facts(made))


@app.command("lead", cls=Verb)
def lead_category(ctx: typer.Context, name: Name, team: Team) -> None:
    """Have a category lead to another team, for tickets from now on.

    Example: `helpdesk categories lead tills --team Tills --merchant acme`
    """
    with api_of(ctx) as api:
        changed = api.patch(f"/categories/{part(name)}", {"teamId": team_id(api, team)})
    show(ctx, changed, facts(changed))


@app.command("retire", cls=Verb)
def retire_category(ctx: typer.Context, name: Name) -> None:
    """Retire a category: its tickets keep it.

    Example: `helpdesk categories retire tills --merchant acme`
    """
    retire(ctx, name, lambda _: f"/categories/{part(name)}")
