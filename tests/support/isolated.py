"""A database and a Temporal server of a test's own, for what the shared ones must not suffer."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from api.auth.jwks import KeySet
from deploy.local.identity import DevelopmentIdentity
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.stack import FAIR
from deploy.local.temporal import TemporalServer, free_port
from models.db.migrate import upgrade
from models.db.session import Database
from models.platform.settings import WorkerQueue
from models.tickets import search_attributes
from tests.support.desk import NODE, SIGNING_KEYS, UNLIMITED, Desk, context_of, relays_of

ROOT = Path(__file__).parents[2]


class Isolated(NamedTuple):
    """What stands isolated, and what it shares: identity and mail."""

    postgres: EmbeddedPostgres
    database: str
    temporal: TemporalServer
    identity: DevelopmentIdentity
    jwks_url: str
    smtp_port: int
    mails: Path

    @property
    def urls(self) -> tuple[str, str]:
        return self.postgres.url("helpdesk_app", self.database), self.postgres.url("helpdesk_relay", self.database)

    async def environment(self) -> WorkflowEnvironment:
        client = await Client.connect(self.temporal.address, data_converter=pydantic_data_converter)
        return WorkflowEnvironment.from_client(client)

    async def waits(self) -> bool:
        """Whether a transaction waits for another one's lock."""
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '{self.database}'"  # noqa: S608 - ours
        return (await asyncio.to_thread(self.postgres.psql, waiting, self.database)).strip() != "0"

    def settings(self) -> dict[str, str]:
        """The environment of a worker's process."""
        app_url, relay_url = self.urls
        said = {
            "DATABASE_URL": app_url,
            "DATABASE_RELAY_URL": relay_url,
            "TEMPORAL_ADDRESS": self.temporal.address,
            "IDENTITY_JWKS_URL": self.jwks_url,
            "IDENTITY_ISSUER": "https://identity.test",
            "IDENTITY_AUDIENCE": "helpdesk",
            "SIGNING_KEYS": ",".join(SIGNING_KEYS),
            "PUBLIC_URL": "http://desk.test",
            "HTTP_HOST": "127.0.0.1",
            "WORKER_PORT": str(free_port()),
            "HTTP_METRICS_PORT": "0",
            "WORKER_METRICS_PORT": "0",
            "TEMPORAL_METRICS_PORT": "0",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp_port),
            "SMTP_SECURITY": "none",
            "MAIL_FROM": "helpdesk@desk.test",
            "MAIL_RETRY_SECONDS": "0.05",
            "MAIL_HOURLY_LIMIT": str(UNLIMITED),
        }
        return {f"APP_ENV_{name}": value for name, value in said.items()}


@contextmanager
def empty_database(postgres: EmbeddedPostgres, name: str) -> Iterator[str]:
    postgres.psql(f"CREATE DATABASE {name} OWNER helpdesk_owner")
    try:
        yield name
    finally:
        postgres.psql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def workflow_server(folder: Path, **dynamic_config: str) -> Iterator[TemporalServer]:
    """In the names of ``dynamic_config`` two underscores stand for a dot. Nothing in it survives the block: its end is a hard one."""
    server = TemporalServer(
        folder,
        free_port(),
        search_attributes=search_attributes.TYPES,
        dynamic_config=FAIR | {name.replace("__", "."): value for name, value in dynamic_config.items()},
        log=folder.with_suffix(".log"),
    )
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def migrated(postgres: EmbeddedPostgres, database: str) -> None:
    """Alembic's entry runs a loop of its own: not in this thread."""
    await asyncio.to_thread(upgrade, postgres.url("helpdesk_owner", database))


@asynccontextmanager
async def desk_without_a_worker(isolated: Isolated) -> AsyncIterator[Desk]:
    """The API alone: its relay starts workflows, and no worker runs them."""
    async with still_desk(isolated) as desk:
        relaying = asyncio.create_task(desk.relay.run())
        try:
            yield desk
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)


@asynccontextmanager
async def still_desk(isolated: Isolated) -> AsyncIterator[Desk]:
    """The API without a relay: nothing moves by itself."""
    environment, (app_url, relay_url) = await isolated.environment(), isolated.urls
    database = Database(app_url, pool_size=5, node=NODE)
    relays = relays_of(relay_url, environment.client)
    keys = KeySet(isolated.jwks_url)
    context = context_of(database, keys, relays[0])
    try:
        yield Desk(environment, database, relays, context, isolated.identity, isolated.mails)
    finally:
        for relay in relays:
            await relay._database.dispose()
        await keys.aclose()
        await database.aclose()


@asynccontextmanager
async def worker_process(
    isolated: Isolated, module: str, queues: Iterable[WorkerQueue] = WorkerQueue, **settings: int | str
) -> AsyncIterator[asyncio.subprocess.Process]:
    own = {"RUN_MODE": "worker", "PYTHONPATH": str(ROOT), "APP_ENV_WORKER_QUEUES": ",".join(queues)}
    environment = {
        **os.environ,
        **isolated.settings(),
        **own,
        **{f"APP_ENV_{name.upper()}": str(value) for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
