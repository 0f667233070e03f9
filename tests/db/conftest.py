from collections.abc import AsyncIterator

import pytest

from tests.support.auditor import _rows_agree
from tests.support.desk import Desk
from tests.support.frozen import Counter, opened
from tests.support.isolated import Apart


@pytest.fixture
async def ticket(quiet: tuple[Apart, Desk]) -> AsyncIterator[Counter]:
    _, desk = quiet
    counter = await opened(desk)
    yield counter
    await _rows_agree(desk, counter.merchant)
