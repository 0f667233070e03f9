"""Notifications: what could not be delivered, and its replay."""

from typing import Annotated, Any

import typer

from deploy.cli.api import api_of, part
from deploy.cli.jobs import Watch, begin
from deploy.cli.output import show, table
from deploy.cli.verb import CommandError, ExitCode, Verb

app = typer.Typer(help="Notifications of a merchant.", no_args_is_help=True)
KEYS = ("status", "kind", "channel", "ticketId", "since")
Conditions = Annotated[
    list[str], typer.Option("--filter", metavar="KEY=VALUE", help=f"Only those; may be given several times. Keys: {', '.join(KEYS)}.")
]
_COLUMNS = {
    "id": "id",
    "ticket": "ticketId",
    "kind": "kind",
    "recipient": "recipient",
    "status": "status",
    "made": "createdAt",
    "last": "last",
}


@app.command("list", cls=Verb)
def list_notifications(
    ctx: typer.Context,
    conditions: Conditions = [],  # noqa: B006 - typer reads it
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")] = 100,
) -> None:
    """List notifications, the newest first.

    Example: `helpdesk notifications list --filter status=dead --filter since=2026-12-01T00:00:00Z --merchant acme`
    """
    with api_of(ctx) as api:
        rows = api.rows("/notifications", limit, **_filter(conditions))
    show(ctx, rows, table_of(rows))


@app.command("replay", cls=Verb)
def replay(
    ctx: typer.Context,
    notification: Annotated[str | None, typer.Argument(help="One, by its id.")] = None,
    conditions: Conditions = [],  # noqa: B006 - typer reads it
    watch: Watch = False,
) -> None:
    """Give five more attempts to one notification, or to all of a filter that are dead. Of many it is a job before other jobs.

    With `status=unknown` it is for those that may have arrived: they are perhaps sent a second time.

    Examples: `helpdesk notifications replay 385102992598155265 --merchant acme`,
    `helpdesk notifications replay --filter status=dead --watch --merchant acme`
    """
    if (notification is None) == (not conditions):
        raise CommandError("Give the id of one, or a --filter: `--filter status=dead` is all that are dead.", ExitCode.WRONG)
    if notification is None:
        begin(ctx, lambda api: api.post("/notifications/replays", {"filter": _filter(conditions)}), is_watched=watch)
        return
    with api_of(ctx) as api:
        replayed = api.post(f"/notifications/{part(notification)}/replay")
    show(ctx, replayed, table_of([replayed]))


def table_of(rows: list[dict[str, Any]], *, is_of_one_ticket: bool = False) -> Any:
    """With how the last attempt of each ended."""
    columns = {heading: field for heading, field in _COLUMNS.items() if not (is_of_one_ticket and heading == "ticket")}
    return table(columns, [row | {"last": _ending(row["attempts"][-1]) if row["attempts"] else None} for row in rows])


def _ending(attempt: dict[str, Any]) -> str:
    return " ".join(str(attempt[name]) for name in ("outcome", "code", "detail") if attempt[name])


def _filter(conditions: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in conditions]
    if wrong := [key for key, equals, _ in pairs if key not in KEYS or not equals]:
        raise CommandError(f"--filter takes KEY=VALUE with one of {', '.join(KEYS)}: not {', '.join(wrong)}.", ExitCode.WRONG)
    return {key: value for key, _, value in pairs}
