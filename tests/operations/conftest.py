from collections.abc import AsyncIterator

import pytest

from tests.apart import Apart
from tests.auditor import _rows_agree
from tests.counter import Counter, opened
from tests.desk import Desk


@pytest.fixture
async def ticket(quiet: tuple[Apart, Desk]) -> AsyncIterator[Counter]:
    _, desk = quiet
    counter = await opened(desk)
    yield counter
    await _rows_agree(desk, counter.merchant)
