"""Whose page it is."""

import pytest

from tests.portal.pages import Page, opened
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    return await quiet[1].merchant()


@pytest.fixture
async def page(acme: Merchant) -> Page:
    return await opened(acme.desk, acme)
