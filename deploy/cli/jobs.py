"""Jobs: work over many tickets, notifications or merchants, watched and steered."""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.api import Api, api_of, part
from deploy.cli.output import facts, show, table
from deploy.cli.verb import CommandError, ExitCode, Verb

app = typer.Typer(help="Jobs of a merchant; without --merchant those that are for all merchants.", no_args_is_help=True)
Which = Annotated[str, typer.Argument(help="Its id.", metavar="JOB")]
Watch = Annotated[bool, typer.Option("--watch", help="Show its progress until it is over.")]
Seconds = Annotated[float, typer.Option(min=0, help="How many seconds to watch at the most.")]
USUAL_SECONDS = 3600.0
_PAUSE_SECONDS = 0.5
_OVER = ("done", "cancelled")
_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "status": "status",
    "done": "done",
    "total": "total",
    "changed": "changed",
    "failed": "failed",
    "begun": "createdAt",
}


@app.command("list", cls=Verb)
def list_jobs(ctx: typer.Context, limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")] = 50) -> None:
    """List jobs, the newest first.

    Example: `helpdesk jobs list --merchant acme`
    """
    with api_of(ctx) as api:
        rows = api.rows("/jobs", limit)
    show(ctx, rows, table(_COLUMNS, rows))


@app.command("show", cls=Verb)
def show_job(ctx: typer.Context, job: Which) -> None:
    """Show one job, with what it found.

    Example: `helpdesk jobs show 385102992598155265 --merchant acme`
    """
    with api_of(ctx) as api:
        found = api.get(f"/jobs/{part(job)}")
    show(ctx, found, facts(found | {name: json.dumps(found[name]) for name in ("request", "result")}))


@app.command("watch", cls=Verb)
def watch_job(ctx: typer.Context, job: Which, seconds: Seconds = USUAL_SECONDS) -> None:
    """Show the progress of a job until it is over. It ends with 1 if something failed, or the job was cancelled.

    Example: `helpdesk jobs watch 385102992598155265 --merchant acme && echo done`
    """
    with api_of(ctx) as api:
        finish(ctx, follow(api, job, seconds))


@app.command("pause", cls=Verb)
def pause_job(ctx: typer.Context, job: Which) -> None:
    """Let a job stop after the batch that it is at.

    Example: `helpdesk jobs pause 385102992598155265 --merchant acme`
    """
    _steer(ctx, job, "pause")


@app.command("resume", cls=Verb)
def resume_job(ctx: typer.Context, job: Which) -> None:
    """Let a paused job go on where it was.

    Example: `helpdesk jobs resume 385102992598155265 --merchant acme`
    """
    _steer(ctx, job, "resume")


@app.command("cancel", cls=Verb)
def cancel_job(ctx: typer.Context, job: Which) -> None:
    """End a job: what was done stays done.

    Example: `helpdesk jobs cancel 385102992598155265 --merchant acme`
    """
    _steer(ctx, job, "cancel")


def begin(ctx: typer.Context, call: Callable[[Api], dict[str, Any]], *, is_watched: bool) -> None:
    """Begin a job by ``call``; show it as it is now, or watch it to its end."""
    with api_of(ctx) as api:
        begun = call(api)
        if is_watched:
            finish(ctx, follow(api, begun["id"], USUAL_SECONDS))
        else:
            show(ctx, begun, table(_COLUMNS, [begun]))


def follow(api: Api, job: str, seconds: float) -> dict[str, Any]:
    """The job when it is over; its progress is drawn beside the result.

    Raises:
        CommandError: it is not over after so many seconds.
    """
    until = time.monotonic() + seconds
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"job {job}", total=None)
        while True:
            found: dict[str, Any] = api.get(f"/jobs/{part(job)}")
            progress.update(bar, description=f"{found['kind']}, {found['status']}", completed=found["done"], total=found["total"])
            if found["status"] in _OVER:
                return found
            if time.monotonic() >= until:
                says = f"The job is {found['status']} after {seconds:g} s, {found['done']} of {found['total']} done: it goes on."
                raise CommandError(says, ExitCode.AWAY)
            time.sleep(_PAUSE_SECONDS)


def finish(ctx: typer.Context, job: dict[str, Any]) -> None:
    """Show a job that is over, and end by how it went."""
    show(ctx, job, table(_COLUMNS, [job]))
    raise typer.Exit(ExitCode.FAILED if job["failed"] or job["status"] == "cancelled" else ExitCode.DONE)


def _steer(ctx: typer.Context, job: str, verb: str) -> None:
    with api_of(ctx) as api:
        steered = api.post(f"/jobs/{part(job)}/{verb}")
    show(ctx, steered, table(_COLUMNS, [steered]))
