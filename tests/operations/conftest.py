from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.identity import DevelopmentIdentity
from deploy.local.postgres import EmbeddedPostgres
from tests.apart import Apart, empty_database, engine, migrated, still_desk
from tests.desk import Desk


@pytest.fixture(scope="module")
async def quiet(
    postgres: EmbeddedPostgres,
    identity: DevelopmentIdentity,
    jwks_url: str,
    mailbox: tuple[int, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Apart, Desk]]:
    """A desk on which nothing moves by itself: no worker, no relay."""
    folder = tmp_path_factory.mktemp("quiet")
    with empty_database(postgres, "quiet") as database, engine(folder / "engine") as server:
        await migrated(postgres, database)
        apart = Apart(postgres, database, server, identity, jwks_url, *mailbox)
        async with still_desk(apart) as desk:
            yield apart, desk
