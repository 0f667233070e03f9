"""Merchants: made, listed, closed and reopened by an operator."""

from typing import Annotated, Any

import typer

from deploy.cli.api import api_of
from deploy.cli.output import facts, show, table
from deploy.cli.verb import DirectoryVerb

app = typer.Typer(help="Merchants. It takes an operator's token that is good for all of them.", no_args_is_help=True)
Which = Annotated[str, typer.Argument(help="Its slug or its id.", metavar="MERCHANT")]
_COLUMNS = {"id": "id", "slug": "slug", "name": "name", "time zone": "timeZone", "locale": "locale", "closed": "closedAt"}


@app.command("list", cls=DirectoryVerb)
def list_merchants(ctx: typer.Context) -> None:
    """List all merchants.

    Example: `helpdesk merchants list --json`
    """
    with api_of(ctx) as api:
        rows = api.rows("/merchants")
    show(ctx, rows, table(_COLUMNS, rows))


@app.command("add", cls=DirectoryVerb)
def add_merchant(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="Its name for machines: unique, and it stays.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    time_zone: Annotated[str, typer.Option(help="An IANA name, of its first calendar.")] = "UTC",
    locale: Annotated[str, typer.Option(help="A BCP 47 tag.")] = "en",
) -> None:
    """Make a merchant that takes tickets at once: a team, a category, a calendar, a policy and a ladder come with it.

    Example: `helpdesk merchants add acme --name "Acme Ltd" --time-zone Europe/Berlin`
    """
    with api_of(ctx) as api:
        made = api.post("/merchants", {"slug": slug, "name": name, "timeZone": time_zone, "locale": locale})
    show(ctx, made, facts(made))


@app.command("show", cls=DirectoryVerb)
def show_merchant(ctx: typer.Context, merchant: Which) -> None:
    """Show one merchant.

    Example: `helpdesk merchants show acme`
    """
    _one(ctx, "GET", merchant, "")


@app.command("close", cls=DirectoryVerb)
def close_merchant(ctx: typer.Context, merchant: Which) -> None:
    """Close a merchant: it takes no new ticket; those that it has go on.

    Example: `helpdesk merchants close acme`
    """
    _one(ctx, "POST", merchant, "/close")


@app.command("reopen", cls=DirectoryVerb)
def reopen_merchant(ctx: typer.Context, merchant: Which) -> None:
    """Let a closed merchant take tickets again.

    Example: `helpdesk merchants reopen acme`
    """
    _one(ctx, "POST", merchant, "/reopen")


def _one(ctx: typer.Context, method: str, merchant: str, verb: str) -> None:
    with api_of(ctx) as api:
        path = f"/merchants/{api.act_for(merchant)}{verb}"
        found: dict[str, Any] = api.get(path) if method == "GET" else api.post(path)
    show(ctx, found, facts(found))
