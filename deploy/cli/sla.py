"""The check of what is overdue."""

from typing import Annotated

import typer

from deploy.cli.jobs import Watch, begin
from deploy.cli.verb import CommandError, ExitCode, Verb

app = typer.Typer(help="Service-level targets.", no_args_is_help=True)


@app.command("check", cls=Verb)
def check_sla(
    ctx: typer.Context,
    ticket: Annotated[str | None, typer.Option(help="Only this ticket: its id.")] = None,
    of_all: Annotated[bool, typer.Option("--all", help="The open tickets of all merchants.")] = False,
    watch: Watch = False,
) -> None:
    """Act now on every target that is overdue: of one ticket, of a merchant, or of all merchants. It is a job before other jobs.

    Of all merchants it begins a check in each, and is over when each has begun.

    Examples: `helpdesk sla check --merchant acme --watch`, `helpdesk sla check --ticket 385102992598155265 --merchant acme`,
    `helpdesk sla check --all`
    """
    if of_all and (ticket or ctx.obj.merchant):
        raise CommandError("Give --all, or --merchant with or without --ticket.", ExitCode.WRONG)
    body = {"allMerchants": True} if of_all else {"ticketId": ticket} if ticket else None
    begin(ctx, lambda api: api.post("/sla/checks", body), is_watched=watch)
