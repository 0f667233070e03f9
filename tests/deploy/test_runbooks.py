"""What a runbook has a person run works as it is written there."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from deploy.local.postgres import EmbeddedPostgres
from models.db.pool import engine_of
from models.platform.metrics import TABLE

PAGES = {
    page.stem: page.read_text().partition("\n## Rehearsed\n")[0]
    for page in sorted((Path(__file__).parents[2] / "docs" / "runbooks").glob("helpdesk*.md"))
}
STATEMENTS = [
    (name, said) for name, page in PAGES.items() for said in re.findall(r'psql "\$APP_ENV_DATABASE_RELAY_URL" -c "([^"]+)"', page)
]
PATTERNS = [(name, said) for name, page in PAGES.items() for said in re.findall(r"grep (?:-E )?'\^([^']+)'", page)]


@pytest.mark.parametrize(("page", "statement"), STATEMENTS, ids=[page for page, _ in STATEMENTS])
async def test_the_relays_role_may_ask_what_a_runbook_asks(postgres: EmbeddedPostgres, page: str, statement: str) -> None:
    engine = engine_of(postgres.url("helpdesk_relay"), pool_size=1)
    async with engine.connect() as connection:
        assert (await connection.execute(sa.text(statement.replace(":", r"\:")))).keys()
    await engine.dispose()


@pytest.mark.parametrize(("page", "pattern"), PATTERNS, ids=[page for page, _ in PATTERNS])
def test_every_part_of_a_pattern_finds_a_metric(page: str, pattern: str) -> None:
    head, _, parts = pattern.partition("(")
    beginnings = [head + re.split(r"[.(]", part)[0].rstrip(")") for part in parts.split("|")] if parts else [head]
    assert not [each for each in beginnings if not any(row.name.startswith(each) for row in TABLE)]
