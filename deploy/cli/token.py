"""A token of the local system's own identity service."""

from typing import Annotated

import typer

from deploy.cli.api import api_of
from deploy.cli.output import show


def issue_token(
    ctx: typer.Context,
    sub: Annotated[str, typer.Option(help="Who it is: an agent's subject acts as that agent.")] = "helpdesk-command-line",
    role: Annotated[list[str], typer.Option(help="May be given several times.")] = ["operator"],  # noqa: B006 - typer reads it
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long it is good.")] = 1,
) -> None:
    """Get a token from the local system: of --merchant, or else of all merchants. Nowhere else is there one to be had by asking.

    Example: `curl -H "Authorization: Bearer $(helpdesk token --sub demo-lars --role lead --merchant demo)" ...`
    """
    with api_of(ctx) as api:
        merchants = [api.act_for(ctx.obj.merchant)] if ctx.obj.merchant else ["*"]
        made = api.local_token({"sub": sub, "merchantIds": merchants, "roles": role, "expiresIn": hours * 3600})
    if ctx.obj.as_json:
        show(ctx, {"accessToken": made}, "")
    else:
        typer.echo(made)
