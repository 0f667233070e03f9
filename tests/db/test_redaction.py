"""Names, addresses and texts of people do not travel in errors: not to the log, and not into the engine's histories."""

import traceback
from collections.abc import Awaitable, Callable

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from structlog.processors import format_exc_info
from structlog.testing import capture_logs
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

from api.app import create_app
from models.db.prepared import Prepared
from models.db.session import TenantSession
from models.people.tables import Reporter
from tests.support.desk import Desk, Merchant

SECRET = "rosalind@customer.example"


async def _twice(session: TenantSession) -> None:
    """PostgreSQL's DETAIL names the key that is there already."""
    for _ in range(2):
        session.insert(Reporter(merchant_id=session.merchant_id, id=session.new_id(), sub=SECRET, name=SECRET, email=SECRET))
    await session.write()


async def _null(session: TenantSession) -> None:
    """It shows the whole row that lacks something."""
    await session.execute(sa.text("UPDATE agent SET name = NULL, sub = :secret || id"), {"secret": SECRET})


async def _no_number(session: TenantSession) -> None:
    """Its message quotes what is no number."""
    await session.execute(sa.text("SELECT CAST(CAST(:secret AS text) AS bigint)"), {"secret": SECRET})


async def _no_argument(session: TenantSession) -> None:
    """The driver quotes what it can't send."""
    await session.execute(sa.text("SELECT CAST(:secret AS bigint)"), {"secret": SECRET})


async def _no_number_by_the_driver(session: TenantSession) -> None:
    await session.execute(Prepared[int]("SELECT CAST(CAST(:secret AS text) AS bigint)"), {"secret": SECRET})


async def _no_argument_by_the_driver(session: TenantSession) -> None:
    await session.execute(Prepared[int]("SELECT CAST(:secret AS bigint)"), {"secret": SECRET})


each_way = pytest.mark.parametrize("fail", [_twice, _null, _no_number, _no_argument, _no_number_by_the_driver, _no_argument_by_the_driver])
Way = Callable[[TenantSession], Awaitable[None]]


async def _failed(desk: Desk, acme: Merchant, fail: Way) -> DBAPIError:
    with pytest.raises(DBAPIError) as raised:
        async with desk.database.reading(acme.id) as session:
            await fail(session)
    return raised.value


@each_way
async def test_an_error_of_the_database_tells_no_value(fail: Way, desk: Desk, acme: Merchant) -> None:
    error = await _failed(desk, acme, fail)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert "SQL" in str(error)


@each_way
async def test_the_engine_is_told_no_value(fail: Way, desk: Desk, acme: Merchant) -> None:
    failure = Failure()
    DefaultFailureConverter().to_failure(await _failed(desk, acme, fail), PayloadConverter.default, failure)
    assert SECRET not in str(failure)


async def test_the_database_still_says_what_is_the_matter(desk: Desk, acme: Merchant) -> None:
    assert 'unique constraint "uq_reporter_merchant_id_sub"' in str(await _failed(desk, acme, _twice))


@each_way
async def test_the_log_of_a_failed_request_tells_no_value(fail: Way, desk: Desk, acme: Merchant) -> None:
    app = create_app(desk.app.state.context)

    async def broken() -> None:
        async with desk.database.reading(acme.id) as session:
            await fail(session)

    app.get("/broken")(broken)
    with capture_logs() as lines:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as client:
            response = await client.get("/broken")
    written = [format_exc_info(None, "error", dict(line)) for line in lines]
    assert (response.status_code, SECRET in response.text, SECRET in str(written)) == (500, False, False)
    assert any("Traceback" in str(line) for line in written)
