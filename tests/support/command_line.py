"""The command line, run in this process against an API that really listens."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import structlog
import uvicorn
from typer.testing import CliRunner

from api.app import create_app
from deploy.cli.app import app
from deploy.local.api import routes
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.temporal import free_port
from tests.support.desk import Desk, Merchant


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it wrote to standard output and beside it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine(NamedTuple):
    """``environment`` is what each command finds set; of our own variables nothing else."""

    environment: dict[str, str | None]

    async def __call__(self, *words: str, **more: str | None) -> Ended:
        """In a thread: the API that answers lives in this loop."""
        environment = self.environment | more
        result = await asyncio.to_thread(CliRunner().invoke, app, words, env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def of(self, merchant: Merchant) -> "CommandLine":
        return CommandLine(self.environment | {"HELPDESK_MERCHANT": str(merchant.id)})

    def without(self, *names: str) -> "CommandLine":
        return CommandLine(self.environment | dict.fromkeys(names))


@asynccontextmanager
async def command_line(desk: Desk, postgres: EmbeddedPostgres, database: str = "helpdesk") -> AsyncIterator[CommandLine]:
    """The desk as `make up` serves it, with the identity service that gives out tokens."""
    served, port = create_app(desk.app.state.context), free_port()
    served.include_router(routes(desk.database, desk.identity, desk.mails))
    server = uvicorn.Server(uvicorn.Config(served, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    settings = {
        "HELPDESK_URL": f"http://127.0.0.1:{port}",
        "APP_ENV_TEMPORAL_ADDRESS": desk.client.service_client.config.target_host,
        "APP_ENV_DATABASE_RELAY_URL": postgres.url("helpdesk_relay", database),
    }
    try:
        with _logs_elsewhere():
            yield CommandLine({**settings, "HELPDESK_TOKEN": None, "HELPDESK_MERCHANT": None})
    finally:
        server.should_exit = True
        await serving


@contextmanager
def _logs_elsewhere() -> Iterator[None]:
    """What the API logs meanwhile is none of what a command writes."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    try:
        yield
    finally:
        structlog.reset_defaults()
