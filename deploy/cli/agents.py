"""The agents of a merchant."""

from typing import Annotated, Any

import typer

from deploy.cli.api import api_of, part, retire
from deploy.cli.jobs import Watch, begin
from deploy.cli.output import facts, show, table
from deploy.cli.teams import team_id
from deploy.cli.verb import Verb

app = typer.Typer(help="Agents of a merchant.", no_args_is_help=True)
Which = Annotated[str, typer.Argument(help="Their id.", metavar="AGENT")]
_COLUMNS = {
    "id": "id",
    "sub": "sub",
    "name": "name",
    "role": "role",
    "team": "teamId",
    "capacity": "capacity",
    "availability": "availability",
    "until": "awayUntil",
}


@app.command("list", cls=Verb)
def list_agents(
    ctx: typer.Context, team: Annotated[str | None, typer.Option(help="Only those of this team: its name or its id.")] = None
) -> None:
    """List the agents that are not retired.

    Example: `helpdesk agents list --merchant acme --team Support`
    """
    with api_of(ctx) as api:
        rows = api.rows("/agents", teamId=team_id(api, team) if team else None)
    show(ctx, rows, table(_COLUMNS, rows))


@app.command("add", cls=Verb)
def add_agent(  # noqa: PLR0913, PLR0917 - one a flag
    ctx: typer.Context,
    sub: Annotated[str, typer.Argument(help="The subject of their tokens.")],
    name: Annotated[str, typer.Option(help="What people call them.")],
    email: Annotated[str, typer.Option(help="Where they are notified.")],
    team: Annotated[str, typer.Option(help="Their team: its name or its id.")],
    role: Annotated[str, typer.Option(help="agent, senior or lead.")] = "agent",
    capacity: Annotated[int, typer.Option(help="How many open tickets they are given at the most.")] = 20,
) -> None:
    """Add an agent, who is given tickets from now on; a retired one with this subject comes back.

    Example: `helpdesk agents add ana --name Ana --email ana@acme.example --team Support --merchant acme`
    """
    body = {"sub": sub, "name": name, "email": email, "role": role, "capacity": capacity}
    with api_of(ctx) as api:
        made = api.post("/agents", body | {"teamId": team_id(api, team)})
    show(ctx, made, facts(made))


@app.command("away", cls=Verb)
def send_away(
    ctx: typer.Context, agent: Which, until: Annotated[str | None, typer.Option(help="An instant, like 2026-12-01T08:00:00Z.")] = None
) -> None:
    """Let an agent be away: they are given no ticket.

    Example: `helpdesk agents away 385102992598155265 --until 2026-12-01T08:00:00Z --merchant acme`
    """
    _set_availability(ctx, agent, {"state": "away"} | ({"until": until} if until else {}))


@app.command("back", cls=Verb)
def take_back(ctx: typer.Context, agent: Which) -> None:
    """Let an agent be available again: they are given what waits.

    Example: `helpdesk agents back 385102992598155265 --merchant acme`
    """
    _set_availability(ctx, agent, {"state": "available"})


@app.command("handover", cls=Verb)
def hand_over(
    ctx: typer.Context,
    agent: Which,
    at_risk: Annotated[bool, typer.Option("--at-risk", help="Only those that are late, or were warned about.")] = False,
    to: Annotated[str | None, typer.Option(help="Who gets them all, by their id.")] = None,
    watch: Watch = False,
) -> None:
    """Hand over an agent's open tickets: each to the best available other agent of its team, unless you say who gets them.

    Example: `helpdesk agents handover 385102992598155265 --at-risk --watch --merchant acme`
    """
    body = {"tickets": "at_risk" if at_risk else "all"} | ({"toAgentId": to} if to else {})
    begin(ctx, lambda api: api.post(f"/agents/{part(agent)}/handover", body), is_watched=watch)


@app.command("retire", cls=Verb)
def retire_agent(ctx: typer.Context, agent: Which) -> None:
    """Retire an agent: their open tickets go to others of the team.

    Example: `helpdesk agents retire 385102992598155265 --merchant acme`
    """
    retire(ctx, agent, lambda _: f"/agents/{part(agent)}")


def _set_availability(ctx: typer.Context, agent: str, body: dict[str, Any]) -> None:
    with api_of(ctx) as api:
        changed = api.put(f"/agents/{part(agent)}/availability", body)
    show(ctx, changed, facts(changed))
