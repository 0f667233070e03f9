"""Tickets: found, and the story of one on one screen."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from deploy.cli.api import Api, api_of, part
from deploy.cli.notifications import table_of
from deploy.cli.output import facts, show, table
from deploy.cli.verb import CommandError, ExitCode, Verb

app = typer.Typer(help="Tickets of a merchant.", no_args_is_help=True)
_COLUMNS = {
    "id": "id",
    "number": "number",
    "status": "status",
    "priority": "priority",
    "sla": "slaStatus",
    "due": "nextDueAt",
    "level": "escalationLevel",
    "agent": "assigneeId",
    "subject": "subject",
}
_LONGEST_NUMBER = 10
"""Digits; an id has many more."""
_ROW = (
    "merchantId",
    "number",
    "subject",
    "status",
    "priority",
    "category",
    "slaStatus",
    "nextDueAt",
    "escalationLevel",
    "assigneeId",
    "teamId",
    "reporter",
    "createdAt",
    "updatedAt",
    "firstRespondedAt",
    "snoozedUntil",
    "resolvedAt",
    "closedAt",
    "mergedIntoId",
    "deletedAt",
    "version",
)
_NAMED = ("assigneeId", "teamId")
_TELLING = ("nextDueAt", "assigneeId")
"""That there is none says something, too."""
_CLOCKS = {
    "metric": "metric",
    "cycle": "cycle",
    "status": "status",
    "target s": "targetSeconds",
    "elapsed s": "elapsedSeconds",
    "left s": "remainingSeconds",
    "due": "dueAt",
    "breached": "breachedAt",
    "stopped": "stoppedAt",
}
_LADDER = {
    "level": "level",
    "metric": "metric",
    "cause": "cause",
    "due": "dueAt",
    "taken": "takenAt",
    "outcome": "outcome",
    "to agent": "toAgentId",
    "acknowledged": "acknowledgedAt",
}


@app.command("list", cls=Verb)
def list_tickets(  # noqa: PLR0913, PLR0917 - one a flag
    ctx: typer.Context,
    status: Annotated[
        str | None, typer.Option(help="One or several, separated by commas: open, pending, on_hold, resolved, closed.")
    ] = None,
    sla: Annotated[str | None, typer.Option(help="For example breached.")] = None,
    agent: Annotated[str | None, typer.Option(help="An agent's id, or none.")] = None,
    query: Annotated[str | None, typer.Option(help="Words of its text.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")] = 50,
) -> None:
    """List tickets, the newest first.

    Example: `helpdesk tickets list --sla breached --agent none --merchant acme`
    """
    with api_of(ctx) as api:
        rows = api.rows("/tickets", limit, status=status, slaStatus=sla, assigneeId=agent, q=query)
    show(ctx, rows, table(_COLUMNS, rows))


@app.command("show", cls=Verb)
def show_ticket(ctx: typer.Context, ticket: Annotated[str, typer.Argument(help="Its id, or its number.", metavar="TICKET")]) -> None:
    """Tell the story of a ticket on one screen: its row, clocks, ladder, notifications, and its workflow.

    Of Temporal it asks the workflow, at the address of the settings `APP_ENV_TEMPORAL_*`; without it the rest is shown. Temporal also knows
    whose ticket it is: by its id it is found without `--merchant`.

    Examples: `helpdesk tickets show 385102992598155265`, `helpdesk tickets show 7 --merchant acme`
    """
    from deploy.cli.workflow import workflow_of

    with api_of(ctx) as api:
        id_ = _id_of(api, ticket)
        workflow = workflow_of(f"ticket-{id_}")
        if ctx.obj.merchant is None and workflow.get("merchant"):
            api.act_for(workflow["merchant"])
        story = _story(api, id_) | {"workflow": workflow}
    show(ctx, story, _drawn(story))


def _id_of(api: Api, ticket: str) -> str:
    number = ticket.removeprefix("#")
    if len(number) > _LONGEST_NUMBER:
        return ticket
    found = api.rows("/tickets", 1, number=number)
    if not found:
        raise CommandError(f"The merchant has no ticket {number}.", ExitCode.NOT_FOUND)
    return str(found[0]["id"])


def _story(api: Api, ticket: str) -> dict[str, Any]:
    path = f"/tickets/{part(ticket)}"
    row, parts = api.get(path), {"clocks": "/sla", "ladder": "/escalations", "notifications": "/notifications"}
    story = {"ticket": row} | {name: api.rows(f"{path}{rest}") for name, rest in parts.items()}
    ids = sorted({row["assigneeId"], *(each["toAgentId"] for each in story["ladder"])} - {None})
    agents = [api.get(f"/agents/{id_}") for id_ in ids]
    return story | {"agents": agents, "team": api.get(f"/teams/{row['teamId']}") if row["teamId"] else None}


def _drawn(story: dict[str, Any]) -> RenderableType:
    row, called = story["ticket"], {each["id"]: f"{each['name']} ({each['id']})" for each in [*story["agents"], story["team"]] if each}
    known = {name: row[name] for name in _ROW if row.get(name) is not None or name in _TELLING}
    parts = {
        f"Ticket {row['id']}": facts({name: called.get(value, value) if name in _NAMED else value for name, value in known.items()}),
        "Clocks": table(_CLOCKS, story["clocks"]),
        "Ladder": table(_LADDER, [each | {"toAgentId": called.get(each["toAgentId"])} for each in story["ladder"]]),
        "Notifications": table_of(story["notifications"], is_of_one_ticket=True),
        "Workflow": facts(story["workflow"]),
    }
    lines: list[RenderableType] = []
    for heading, drawn in parts.items():
        lines += [Text(heading, style="bold underline"), drawn, Text("")]
    return Group(*lines[:-1])
