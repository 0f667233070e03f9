"""What an operator asks of the machine: is it ready, what waits, what is wrong with the settings; and tokens of the local system."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.temporal import free_port
from tests.cli.page import FILE, page
from tests.support.command_line import CommandLine, command_line
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated

ROOT = Path(__file__).parents[2]


async def test_status(anywhere: CommandLine) -> None:
    ended = await anywhere("status", "--json")
    assert (ended.code, ended.json) == (0, {"status": "ok", "database": "ok", "keys": "ok", "temporal": "ok"})
    assert "temporal" in (await anywhere("status")).out


async def test_where_nothing_answers_it_says_where_it_asked(anywhere: CommandLine) -> None:
    port = free_port()
    ended = await anywhere("status", "--url", f"http://127.0.0.1:{port}")
    assert (ended.code, f"http://127.0.0.1:{port}" in ended.err, "Traceback" in ended.err) == (6, True, False)
    for wrong in ("desk", "http://127.0.0.1:x"):
        assert (await anywhere("status", "--url", wrong, HELPDESK_TOKEN="x")).code == 2, wrong


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>Welcome</html>"), (200, "[]"), (200, '{"up": true}'), (404, "[]"), (301, ""), (503, "busy"), (504, "{}")],
)
async def test_what_is_no_helpdesk_is_said_in_one_line(status: int, body: str, anywhere: CommandLine) -> None:
    async with _stranger(status, body) as url:
        ended = [await anywhere("status", "--url", url), await anywhere("teams", "list", "--url", url, HELPDESK_TOKEN="x")]
    for each in ended:
        assert (each.err.count("\n"), url in each.err, each.out) == (1, True, "")
        assert each.code == (6 if status >= 500 else 2)


@asynccontextmanager
async def _stranger(status: int, body: str) -> AsyncIterator[str]:
    """The address of a server that answers everything so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_what_no_header_takes_is_said_in_one_line(anywhere: CommandLine) -> None:
    for wrong in ({"HELPDESK_TOKEN": "t\u00f6ken"}, {"HELPDESK_TOKEN": "to\nken"}):
        ended = await anywhere("teams", "list", "--merchant", "7", **wrong)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended
    assert (await anywhere("teams", "list", "--merchant", "\u00b2")).code == 3


async def test_elsewhere_there_is_no_token_by_itself(anywhere: CommandLine) -> None:
    ended = await anywhere("teams", "list", "--url", "https://desk.example")
    assert (ended.code, "HELPDESK_TOKEN" in ended.err) == (4, True)


async def test_a_token_of_the_local_system(anywhere: CommandLine, acme: Merchant) -> None:
    made = await anywhere("token", "--sub", f"lars-{acme.id}", "--role", "lead", "--merchant", str(acme.id))
    me = acme.desk.client_with(made.out.strip())
    assert (await me.get("/me")).json()["agentId"] == str(acme.agents["lars"])
    assert set((await anywhere("token", "--json")).json) == {"accessToken"}
    assert (await anywhere("token", "--role", "emperor")).code == 5


async def test_what_waits_is_told_by_merchant_and_topic(quiet: tuple[Isolated, Desk]) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general")
    async with command_line(desk, isolated.postgres, isolated.database) as helpdesk:
        rows = {(row["merchantId"], row["topic"]): row for row in (await helpdesk("outbox", "--limit", "1000", "--json")).json}
        assert rows[str(acme.id), "ticket"]["rows"] == 1
        assert rows[str(acme.id), "delivery"]["oldestSeconds"] >= 0
        assert str(acme.id) in (await helpdesk("outbox", "--limit", "1000")).out
        away = await helpdesk("outbox", APP_ENV_DATABASE_RELAY_URL=f"postgresql://x@127.0.0.1:{free_port()}/x")
        assert (away.code, away.err.count("\n")) == (6, 1)
        assert (await helpdesk("outbox", APP_ENV_DATABASE_RELAY_URL="nonsense")).code == 2
        waits = await helpdesk("reconcile", "--seconds", "1")  # no worker runs
        assert (waits.code, "No worker did it" in waits.err) == (6, True)


async def test_a_reconciliation_by_hand(anywhere: CommandLine) -> None:
    ended = await anywhere("reconcile", "--json")
    assert (ended.code, ended.json["stuck"], ended.json["tickets"]) == (0, 0, 0)


async def test_what_is_set_counts_more_than_the_local_system(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    elsewhere = f"127.0.0.1:{free_port()}"
    ended = await _process("reconcile", LOCAL_VAR=str(tmp_path), APP_ENV_TEMPORAL_ADDRESS=elsewhere)
    assert (ended.returncode, elsewhere in ended.stderr) == (6, True), ended


async def test_all_that_is_wrong_with_the_settings_at_once(isolated_settings: dict[str, str]) -> None:
    ended = await _process("config", "check", "--json", **isolated_settings | {"APP_ENV_SMTP_PORT": "x", "APP_ENV_MAIL_FROM": "nobody"})
    assert (ended.returncode, ended.stdout.count('"APP_ENV_')) == (2, 2), ended
    assert "APP_ENV_SMTP_PORT" in ended.stdout
    assert (await _process("config", "check", **isolated_settings)).stdout == "the settings are valid\n"
    told = await _process("config", "check", **isolated_settings | {"APP_ENV_RATE_LIMIT_STORAGE": "nonsense"})
    assert "limits[async-redis]" in told.stdout, "not taken for markup"


async def test_the_schema_everything_else_and_the_restored(isolated: Isolated) -> None:
    """Migrate, setup and resync are the roles themselves: with their logs beside, the result is alone on standard output."""
    owner = {"APP_ENV_DATABASE_OWNER_URL": isolated.postgres.url("helpdesk_owner", isolated.database)}
    settings = isolated.settings() | owner
    for verb in ("migrate", "setup"):
        ended = await _process(verb, "--json", **settings)
        assert (ended.returncode, ended.stdout) == (0, '{"done": true}\n'), ended
    assert "reconciliation" in ended.stderr
    resynced = await _process("resync", "--yes", "--json", **settings)
    assert (resynced.returncode, '"failed": 0' in resynced.stdout) == (0, True), resynced
    assert (await _process("resync", **settings)).returncode == 2
    wrong = await _process("migrate", APP_ENV_DATABASE_OWNER_URL="nonsense")
    assert (wrong.returncode, "APP_ENV_DATABASE_OWNER_URL" in wrong.stderr, "Traceback" in wrong.stderr) == (2, True, False)


@pytest.mark.parametrize("verb", [("migrate",), ("setup",), ("resync", "--yes"), ("outbox",)])
async def test_a_database_that_can_not_be_reached_is_said_in_one_line(verb: tuple[str, ...], isolated_settings: dict[str, str]) -> None:
    away = f"postgresql://x:secret@127.0.0.1:{free_port()}/x"
    urls = {name: away for name in isolated_settings if name.startswith("APP_ENV_DATABASE_") and name.endswith("_URL")}
    ended = await _process(*verb, **isolated_settings | urls)
    assert (ended.returncode, ended.stdout, "Traceback" in ended.stderr, "secret" in ended.stderr) == (6, "", False, False), ended
    assert "the database can't be reached" in ended.stderr.splitlines()[-1]


@pytest.fixture
def isolated_settings(isolated: Isolated) -> dict[str, str]:
    return isolated.settings() | {"APP_ENV_DATABASE_OWNER_URL": isolated.postgres.url("helpdesk_owner", isolated.database)}


def test_help_imports_no_world() -> None:
    heavy = {"temporalio", "sqlalchemy", "sqlmodel", "httpx", "models"}
    script = f"import sys; import deploy.cli.app; sys.exit(' '.join({heavy} & sys.modules.keys()) or 0)"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr


async def _process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APP_ENV_", "HELPDESK_"))}
    command = [sys.executable, "-m", "deploy.cli", *words]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False, timeout=100
    )


def test_the_page_says_what_the_commands_say() -> None:
    assert FILE.read_text() == page(), "write it anew: python -m tests.cli.page"


def test_every_command_has_an_example_and_takes_json() -> None:
    commands = page().split("\n#")[1:]
    verbs = [text for text in commands if "**Usage**" in text and "COMMAND [ARGS]" not in text]
    assert len(verbs) > 30
    assert [text.splitlines()[0] for text in verbs if "Example" not in text or "* `--json`" not in text] == []


def test_what_is_installed_is_two_lines_that_start_it() -> None:
    script = ROOT / "deploy" / "cli" / "helpdesk"
    assert len(script.read_text().splitlines()) == 2
    assert script.stat().st_mode & 0o111
