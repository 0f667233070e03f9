from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.postgres import FAST_AND_LOSABLE, EmbeddedPostgres
from deploy.local.temporal import TemporalServer, free_port


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data", settings=FAST_AND_LOSABLE)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def temporal(tmp_path: Path) -> Iterator[TemporalServer]:
    attributes = {"HelpdeskStatus": "Keyword", "HelpdeskTicketNumber": "Int"}
    server = TemporalServer(tmp_path, free_port(), search_attributes=attributes, log=tmp_path / "temporal.log")
    server.start()
    yield server
    server.kill()
