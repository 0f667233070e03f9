"""The command line against the desk of this process."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.postgres import EmbeddedPostgres
from tests.support.command_line import CommandLine, command_line
from tests.support.desk import Desk, Merchant


@pytest.fixture
async def anywhere(desk: Desk, postgres: EmbeddedPostgres) -> AsyncIterator[CommandLine]:
    """For no merchant."""
    async with command_line(desk, postgres) as command:
        yield command


@pytest.fixture
async def helpdesk(anywhere: CommandLine, acme: Merchant) -> CommandLine:
    """For Acme."""
    return anywhere.of(acme)
