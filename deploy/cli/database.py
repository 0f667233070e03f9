"""What the API has no verb for: the outbox, the reconciliation, and the one-shot roles."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from deploy.cli.output import facts, show, table
from deploy.cli.verb import CommandError, ExitCode
from deploy.reach import DatabaseUnreachableError, reaching_database

_COLUMNS = {"merchant": "merchantId", "topic": "topic", "rows": "rows", "oldest s": "oldestSeconds", "leased": "leased"}


def show_outbox(
    ctx: typer.Context, limit: Annotated[int, typer.Option(min=1, max=1000, help="How many merchants and topics at the most.")] = 50
) -> None:
    """Say what waits for Temporal, by merchant and topic, the oldest first: how many rows, and for how many seconds.

    It reads the database, by `APP_ENV_DATABASE_RELAY_URL`.

    Example: `helpdesk outbox --json`
    """
    from deploy.cli.environment import read
    from deploy.cli.outbox import depths
    from models.platform.settings import RelaySettings

    url = str(read(RelaySettings).database_relay_url)
    with _database():
        rows = asyncio.run(depths(url, limit))
    show(ctx, rows, table(_COLUMNS, rows) if rows else "nothing waits")


def reconcile(ctx: typer.Context, seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to wait for it.")] = 60) -> None:
    """Look now for what was lost, as the schedule does each minute, and send it again. A worker does it, asked through Temporal.

    It ends with 1 if something that was sent again earlier is still not acted on.

    Example: `helpdesk reconcile`
    """
    from deploy.cli.environment import read
    from deploy.cli.outbox import reconciled
    from models.platform.settings import TemporalSettings

    healed = asyncio.run(reconciled(read(TemporalSettings), seconds))
    show(ctx, healed, facts(healed))
    raise typer.Exit(ExitCode.FAILED if healed["stuck"] else ExitCode.DONE)


def resync(ctx: typer.Context, yes: Annotated[bool, typer.Option("--yes", help="Neither the API nor a worker runs.")] = False) -> None:
    """After PostgreSQL was restored from a backup: let the workflows follow the database. No API and no worker may run.

    What was pending is left as unknown, for people to replay. It may be run again; it ends with 1 if a row could not be mended.

    Example: `helpdesk resync --yes`
    """
    if not yes:
        raise CommandError("Stop the API and the workers first, then say so by --yes.", ExitCode.WRONG)
    from deploy.app_info import APP_INFO
    from deploy.cli.environment import read
    from models.outbox.resync import run
    from models.platform.settings import Settings

    settings = read(Settings)
    with _logs_beside(), _database():
        done = asyncio.run(run(settings, node=APP_INFO.node))
    show(ctx, done._asdict(), facts(done._asdict()))
    raise typer.Exit(ExitCode.FAILED if done.failed else ExitCode.DONE)


def migrate(ctx: typer.Context) -> None:
    """Bring the schema up to this release's, by `APP_ENV_DATABASE_OWNER_URL`. Run again it changes nothing.

    Example: `helpdesk migrate`
    """
    from deploy.__main__ import migrate as upgrade

    _play(ctx, upgrade, "the schema is current")


def set_up(ctx: typer.Context) -> None:
    """Make, or bring up to date, all that must stand before the API and the worker start: schema, search attributes, schedules.

    A schedule that is stale is repaired. With `APP_ENV_SETUP_MERCHANT_SLUG` and `_NAME` the first merchant is made. Run again it changes
    nothing.

    Example: `helpdesk setup`
    """
    from deploy.__main__ import set_up as play

    _play(ctx, play, "everything is set up")


def _play(ctx: typer.Context, role: Callable[[], None], done: str) -> None:
    """A role ends the process itself when it is refused: with 1 or 2, as this command does."""
    from deploy.cli.environment import use_local

    use_local()
    with _logs_beside(), _database():
        role()
    result: dict[str, Any] = {"done": True}
    show(ctx, result, done)


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """One that can't be reached ends the command as an API does that is away."""
    try:
        with reaching_database():
            yield
    except DatabaseUnreachableError as error:
        raise CommandError(f"{error}.", ExitCode.AWAY) from None


@contextlib.contextmanager
def _logs_beside() -> Iterator[None]:
    """Logs go beside the result: standard output is the command's."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
