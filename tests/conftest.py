"""Real parts, started once for each process of the test run and stopped at its end."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from activities.email.smtp import accept_local_domains
from deploy.local.identity import DevelopmentIdentity
from deploy.local.mail import MailCatcher
from deploy.local.postgres import FAST_AND_LOSABLE, EmbeddedPostgres
from deploy.local.temporal import TemporalServer, free_port, temporal_binary
from models.db.migrate import upgrade
from models.people.tables import Agent
from models.platform.zones import use_packaged_time_zones
from models.tickets import search_attributes
from models.tickets.assignment import Availability
from tests.support.auditor import _rows_agree
from tests.support.desk import Desk, Merchant, working_desk
from tests.support.frozen import FrozenTicket, opened
from tests.support.isolated import Isolated, empty_database, migrated, still_desk, workflow_server

use_packaged_time_zones()
accept_local_domains()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="session")
def postgres(place: Path) -> Iterator[EmbeddedPostgres]:
    """A migrated server of this process's own; nothing in it survives the run."""
    server = EmbeddedPostgres(place / "postgres", settings=FAST_AND_LOSABLE)
    server.start()
    try:
        upgrade(server.url("helpdesk_owner"))
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """The real Temporal server, with the one switch that lets a test move a workflow's clock."""
    kinds = {"Keyword": SearchAttributeKey.for_keyword, "Int": SearchAttributeKey.for_int, "Datetime": SearchAttributeKey.for_datetime}
    started = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(temporal_binary()),
        dev_server_startup_timeout=timedelta(seconds=30),
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        search_attributes=[kinds[kind](name) for name, kind in search_attributes.TYPES.items()],
        data_converter=pydantic_data_converter,
    )
    async with started as environment:
        yield environment


@pytest.fixture(scope="session")
async def identity(place: Path) -> DevelopmentIdentity:
    return DevelopmentIdentity(place / "identity.pem", issuer="https://identity.test", audience="helpdesk")


@pytest.fixture(scope="session")
async def jwks_url(identity: DevelopmentIdentity) -> AsyncIterator[str]:
    """The identity service's key set, over HTTP."""
    app, port = FastAPI(), free_port()
    app.get("/jwks.json")(identity.jwks)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())
    yield f"http://127.0.0.1:{port}/jwks.json"
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
def mailbox(place: Path) -> Iterator[tuple[int, Path]]:
    folder, port = place / "mail", free_port()
    catcher = MailCatcher(folder, port)
    catcher.start()
    yield port, folder
    catcher.stop()


@pytest.fixture(scope="session")
async def whole_desk(
    postgres: EmbeddedPostgres,
    environment: WorkflowEnvironment,
    identity: DevelopmentIdentity,
    jwks_url: str,
    mailbox: tuple[int, Path],
) -> AsyncIterator[Desk]:
    urls = (postgres.url("helpdesk_app"), postgres.url("helpdesk_relay"))
    async with working_desk(environment, urls, identity, jwks_url, *mailbox) as desk:
        yield desk


@pytest.fixture
async def desk(whole_desk: Desk) -> AsyncIterator[Desk]:
    """The desk, at the present time."""
    whole_desk.clock.ahead = timedelta()
    yield whole_desk
    whole_desk.clock.ahead = timedelta()


@pytest.fixture
async def acme(desk: Desk) -> Merchant:
    """Acme: Ana and Leo are agents, Sina is a senior, Lars is the lead; Rita reports."""
    return await desk.merchant("acme")


@pytest.fixture
async def globex(desk: Desk) -> Merchant:
    """Another merchant, with people of the same names."""
    return await desk.merchant("globex")


@pytest.fixture(scope="session")
def idle_temporal(place: Path) -> Iterator[TemporalServer]:
    """A Temporal server that no worker polls."""
    with workflow_server(place / "temporal") as server:
        yield server


@pytest.fixture(scope="module")
async def quiet(
    postgres: EmbeddedPostgres,
    idle_temporal: TemporalServer,
    identity: DevelopmentIdentity,
    jwks_url: str,
    mailbox: tuple[int, Path],
) -> AsyncIterator[tuple[Isolated, Desk]]:
    """A desk on which nothing moves by itself: no worker, no relay."""
    with empty_database(postgres, "quiet") as database:
        await migrated(postgres, database)
        isolated = Isolated(postgres, database, idle_temporal, identity, jwks_url, *mailbox)
        async with still_desk(isolated) as desk:
            yield isolated, desk


@pytest.fixture
async def resting(desk: Desk, acme: Merchant) -> Merchant:
    """Acme with everybody away: no ticket gets an owner by itself."""
    async with desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Agent).values(availability=Availability.AWAY))
    return acme


@pytest.fixture
async def ticket(resting: Merchant) -> dict[str, Any]:
    """A new ticket that nobody has, with hours to its first deadline."""
    return await resting.open(category="general")


@pytest.fixture
async def frozen(quiet: tuple[Isolated, Desk]) -> AsyncIterator[FrozenTicket]:
    """A ticket on a desk on which nothing moves by itself; its rows agree afterwards."""
    _, desk = quiet
    ticket = await opened(desk)
    yield ticket
    await _rows_agree(desk, ticket.merchant)


@pytest.fixture
async def isolated(
    postgres: EmbeddedPostgres,
    identity: DevelopmentIdentity,
    jwks_url: str,
    mailbox: tuple[int, Path],
    tmp_path: Path,
) -> AsyncIterator[Isolated]:
    """A database and a Temporal server of this test's own."""
    with empty_database(postgres, "isolated") as database, workflow_server(tmp_path / "temporal") as server:
        await migrated(postgres, database)
        yield Isolated(postgres, database, server, identity, jwks_url, *mailbox)


def pytest_collection_finish() -> None:
    """What was imported stays to the end: to look through all of it in each full collection costs some hundredths of the time."""
    gc.freeze()
