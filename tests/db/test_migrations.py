"""The schema's history: applied twice or by two at once it is applied once, and it ends where the tables are."""

import asyncio
import os
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from deploy.local.postgres import EmbeddedPostgres
from models.db.migrate import newest_revision
from models.db.pool import engine_of
from models.db.schema import metadata
from tests.support.isolated import empty_database

ROOT = Path(__file__).parents[2]


async def test_two_migrations_at_once_and_a_third_apply_the_schema_once(postgres: EmbeddedPostgres) -> None:
    with empty_database(postgres, "migrated") as database:
        url = postgres.url("helpdesk_owner", database)
        await asyncio.gather(*(migration_process(url) for _ in range(2)))
        await migration_process(url)
        assert postgres.psql("SELECT version_num FROM alembic_version", database) == newest_revision()


async def test_the_migrated_schema_is_what_the_tables_say(postgres: EmbeddedPostgres) -> None:
    engine = engine_of(postgres.url("helpdesk_owner"), pool_size=1)
    async with engine.connect() as connection:
        differences = await connection.run_sync(_differences)
    await engine.dispose()
    assert differences == []


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def migration_process(url: str) -> None:
    """Alembic keeps its state in modules: two at once are two processes, as in life."""
    environment = {**os.environ, "RUN_MODE": "migrate", "APP_ENV_DATABASE_OWNER_URL": url, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy", env=environment, cwd=ROOT)
    assert await process.wait() == 0
