"""The schema's history: applied twice or by two at once it is applied once, and it ends where the tables are."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from deploy.local.postgres import EmbeddedPostgres
from models.db.pool import engine_of
from models.db.revisions import FOLDER, known_revisions, newest_revision
from models.db.schema import metadata
from tests.db.landed import fingerprint, landed_migrations, migrations
from tests.support.isolated import empty_database

ROOT = Path(__file__).parents[2]
AT = """
    CREATE TABLE alembic_version (version_num text);
    ALTER TABLE alembic_version OWNER TO helpdesk_owner;
    INSERT INTO alembic_version VALUES ('{}');
"""
UPGRADE = """
import sys
from alembic import command
from models.db.migrate import configuration
command.upgrade(configuration(sys.argv[1]), "{}")
"""
TICKET = """
    SET session_replication_role = replica;
    INSERT INTO ticket (merchant_id, id, number, subject, description, status, priority, channel, tags, custom_fields, reporter_id,
        is_queued, escalation_level, resolution_cycle, created_at, updated_at, version, facts_version, event_sequence, link_generation)
    VALUES (1, 2, 3, 's', 'd', 'open', 'normal', 'api', '{}', '{}', 4, false, 0, 1, '2026-03-01', '2026-03-02', 7, 7, 7, 0);
"""


async def test_two_migrations_at_once_and_a_third_apply_the_schema_once(postgres: EmbeddedPostgres) -> None:
    with empty_database(postgres, "migrated") as database:
        url = postgres.url("helpdesk_owner", database)
        ended = [*await asyncio.gather(*(migration_process(url) for _ in range(2))), await migration_process(url)]
        assert [code for code, _ in ended] == [0, 0, 0], ended
        assert postgres.psql("SELECT version_num FROM alembic_version", database) == newest_revision()


async def test_the_migrated_schema_is_what_the_tables_say(postgres: EmbeddedPostgres) -> None:
    engine = engine_of(postgres.url("helpdesk_owner"), pool_size=1)
    async with engine.connect() as connection:
        differences = await connection.run_sync(_differences)
    await engine.dispose()
    assert differences == []


@pytest.mark.parametrize(("revision", "why"), [("0002", "make a new database"), ("9999", "of a later release")])
async def test_a_database_that_no_migration_leads_on_from_is_refused_in_one_line(
    revision: str, why: str, postgres: EmbeddedPostgres
) -> None:
    with empty_database(postgres, "strange") as database:
        postgres.psql(AT.format(revision), database)
        ended, said = await migration_process(postgres.url("helpdesk_owner", database))
        assert (ended, why in said, "Traceback" in said) == (2, True, False), said
        assert postgres.psql("SELECT version_num FROM alembic_version", database) == revision


async def test_tickets_from_before_public_versions_keep_what_their_reporters_saw(postgres: EmbeddedPostgres) -> None:
    """The fence is lifted from the owner for that one statement, and stands again afterwards."""
    with empty_database(postgres, "older") as database:
        owner = postgres.url("helpdesk_owner", database)
        before = await child(sys.executable, "-c", UPGRADE.format("0004"), owner)
        assert before[0] == 0, before
        postgres.psql(TICKET, database)
        assert (await migration_process(owner))[0] == 0
        kept = "SELECT public_version, version, public_updated_at = updated_at FROM ticket"
        assert postgres.psql(kept, database) == "7|7|t"
        assert postgres.psql("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'ticket'", database) == "t"


def test_a_migration_that_has_landed_is_never_edited() -> None:
    """A database that has it would stay as it was, and be served as if it had the edit."""
    landed = landed_migrations()
    edited = [name for name, known in landed.items() if fingerprint(name) != known]
    assert not edited, f"{edited} landed with another text: add a migration after the newest one instead"
    assert set(migrations()) == landed.keys(), "a new migration: record it with `python -m tests.db.landed`"


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def migration_process(url: str) -> tuple[int, str]:
    """Alembic keeps its state in modules: two at once are two processes, as in life."""
    environment = {**os.environ, "RUN_MODE": "migrate", "APP_ENV_DATABASE_OWNER_URL": url, "PYTHONPATH": str(ROOT)}
    return await child(sys.executable, "-m", "deploy", environment=environment)


async def child(*command: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def test_the_files_give_the_revisions_in_the_order_in_which_alembic_runs_them() -> None:
    read = [each.revision for each in ScriptDirectory(str(FOLDER)).walk_revisions()]
    assert list(known_revisions()) == read[::-1]
