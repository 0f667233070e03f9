from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.identity import DevelopmentIdentity
from deploy.local.postgres import EmbeddedPostgres
from tests.support.isolated import Apart, empty_database, engine, migrated


@pytest.fixture
async def apart(
    postgres: EmbeddedPostgres,
    identity: DevelopmentIdentity,
    jwks_url: str,
    mailbox: tuple[int, Path],
    tmp_path: Path,
) -> AsyncIterator[Apart]:
    with empty_database(postgres, "apart") as database, engine(tmp_path / "engine") as server:
        await migrated(postgres, database)
        yield Apart(postgres, database, server, identity, jwks_url, *mailbox)
