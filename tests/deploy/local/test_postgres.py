import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local.postgres import ROLES, EmbeddedPostgres
from deploy.local.processes import ChildFailedError

ORPHAN = """
import sys
from pathlib import Path
from deploy.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


async def ask(server: EmbeddedPostgres, question: str, role: str = "helpdesk_owner", database: str = "helpdesk") -> object:
    connection = await asyncpg.connect(server.url(role, database))
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_each_role_reaches_the_database_and_none_can_step_over_row_level_security(postgres: EmbeddedPostgres) -> None:
    for role in ("helpdesk_owner", "helpdesk_app", "helpdesk_relay"):
        assert await ask(postgres, "SELECT current_user::text", role) == role
        assert not await ask(postgres, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user", role)


async def test_only_the_owner_makes_tables(postgres: EmbeddedPostgres) -> None:
    await ask(postgres, "CREATE TABLE ours (id bigint)")
    for role in ("helpdesk_app", "helpdesk_relay"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(postgres, "CREATE TABLE theirs (id bigint)", role)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(postgres, "SELECT count(*) FROM ours", role)


async def test_sqlalchemy_takes_the_same_address(postgres: EmbeddedPostgres) -> None:
    engine = create_async_engine(sa.make_url(postgres.url("helpdesk_app")).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        assert (await connection.execute(sa.text("SELECT current_database()"))).scalar() == "helpdesk"
    await engine.dispose()


async def test_what_was_committed_is_there_after_a_stop_and_after_a_crash(postgres: EmbeddedPostgres) -> None:
    await ask(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
    for end in (postgres.stop, postgres.kill):
        end()
        assert not postgres.running()
        postgres.start()
        assert await ask(postgres, "SELECT n FROM kept") == 7


def test_the_roles_may_be_made_again(postgres: EmbeddedPostgres) -> None:
    postgres.psql(ROLES.read_text())


def test_an_error_in_a_script_is_raised(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(ChildFailedError, match="nonsense"):
        postgres.psql("SELECT nonsense")


def test_a_long_path_still_has_a_short_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path.joinpath(*["a-rather-long-folder-name"] * 6), log=tmp_path / "log")
    assert len(str(server.sockets / ".s.PGSQL.5432")) < 104


def test_the_server_ends_with_its_parent_and_the_next_start_succeeds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-c", ORPHAN, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd=Path(__file__).parents[3]) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    server = EmbeddedPostgres(data)
    server.start()
    assert not psutil.pid_exists(pid)
    server.stop()


def test_a_pid_file_whose_number_now_belongs_to_another_process_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data")
    server.start()
    left = (tmp_path / "data" / "postmaster.pid").read_text().splitlines()
    server.stop()
    (tmp_path / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *left[1:]]) + "\n")
    server.start()
    server.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", settings={"shared_buffers": "nonsense"})
    with pytest.raises(ChildFailedError, match="shared_buffers"):
        server.start()
    server.stop()


def test_stopping_what_was_never_started_is_fine(tmp_path: Path) -> None:
    EmbeddedPostgres(tmp_path / "data").stop()


def test_a_stranger_with_the_number_of_a_leftover_is_left_alone(postgres: EmbeddedPostgres) -> None:
    assert not postgres._is_ours(psutil.Process())
    assert postgres._is_ours(psutil.Process(postgres.pid))
