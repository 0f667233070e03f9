"""``helpdesk``: one command line for those who run the desk."""

import typer

from deploy.cli import agents, categories, config, database, jobs, merchants, notifications, sla, status, teams, tickets, token
from deploy.cli.verb import MEANINGS, MachineVerb, PublicVerb, Verb

_CODES = "\n".join(f"- `{code.value}`: {meaning}" for code, meaning in MEANINGS.items())
app = typer.Typer(
    name="helpdesk",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Look after a helpdesk: its merchants and people, its tickets, clocks, notifications and jobs.",
    epilog=f"Every command takes `--json`. Exit codes:\n\n{_CODES}",
)
NOUNS = {
    "merchants": merchants.app,
    "teams": teams.app,
    "categories": categories.app,
    "agents": agents.app,
    "tickets": tickets.app,
    "sla": sla.app,
    "notifications": notifications.app,
    "jobs": jobs.app,
    "config": config.app,
}
app.command("status", cls=PublicVerb)(status.show_status)
for _name, _noun in NOUNS.items():
    app.add_typer(_noun, name=_name)
app.command("outbox", cls=MachineVerb)(database.show_outbox)
app.command("reconcile", cls=MachineVerb)(database.reconcile)
app.command("resync", cls=MachineVerb)(database.resync)
app.command("migrate", cls=MachineVerb)(database.migrate)
app.command("setup", cls=MachineVerb)(database.set_up)
app.command("token", cls=Verb)(token.issue_token)
