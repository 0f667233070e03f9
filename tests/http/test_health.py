"""Ready is who can serve: on the schema that he knows, or on the one of the release that follows him."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from deploy.local.postgres import EmbeddedPostgres
from models.db.revisions import newest_revision, older_revisions
from models.db.session import Database
from tests.support.desk import NODE, Desk, context_of
from tests.support.isolated import empty_database

NAMED = "CREATE TABLE alembic_version (version_num text); GRANT SELECT ON alembic_version TO helpdesk_app;"
SAID = "DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('{}')"


class Probed:
    """A desk on a database that says only which revision it has."""

    def __init__(self, desk: Desk, postgres: EmbeddedPostgres, name: str, database: Database) -> None:
        self._server, self.name, self.database = postgres, name, database
        context = context_of(database, desk.app.state.context.keys, desk.relay)
        self._client = Desk(desk.environment, database, (desk.relay, desk.post), context, desk.identity, desk.mails).client_with(
            None, base=""
        )

    async def at(self, revision: str) -> tuple[int, Any]:
        self._server.psql(SAID.format(revision), self.name)
        return await self.now()

    async def now(self) -> tuple[int, Any]:
        response = await self._client.get("/readyz")
        return response.status_code, response.json()["database"]


@pytest.fixture
async def probed(desk: Desk, postgres: EmbeddedPostgres) -> AsyncIterator[Probed]:
    with empty_database(postgres, "probed") as name:
        postgres.psql(NAMED, name)
        database = Database(postgres.url("helpdesk_app", name), pool_size=1, node=NODE)
        yield Probed(desk, postgres, name, database)
        await database.aclose()


async def test_on_its_own_schema_a_release_is_ready(probed: Probed) -> None:
    assert await probed.at(newest_revision()) == (200, "ok")


async def test_on_the_schema_of_the_next_release_the_running_one_stays_ready(probed: Probed) -> None:
    assert await probed.at("9999") == (200, "ok")


@pytest.mark.parametrize("revision", sorted({*older_revisions(), "0002"}))
async def test_on_an_older_schema_it_waits(revision: str, probed: Probed) -> None:
    assert await probed.at(revision) == (503, "older schema revision")


async def test_on_a_database_without_a_schema_it_waits(probed: Probed) -> None:
    assert await probed.now() == (503, "older schema revision")


async def test_what_was_found_is_kept_for_a_moment(probed: Probed) -> None:
    assert await probed.at(newest_revision()) == (200, "ok")
    assert await probed.at("0001") == (200, "ok")


async def test_a_busy_pool_is_ready(probed: Probed) -> None:
    """More requests than connections say nothing about the database."""
    async with probed.database.engine.connect() as only:
        await only.execute(sa.text("SELECT 1"))
        async with asyncio.timeout(2):
            assert await probed.at(newest_revision()) == (200, "ok")


async def test_a_server_without_room_for_one_more_connection_is_busy_and_ready(probed: Probed, postgres: EmbeddedPostgres) -> None:
    await asyncio.to_thread(postgres.psql, f"ALTER DATABASE {probed.name} CONNECTION LIMIT 0")
    assert await probed.now() == (200, "busy")
