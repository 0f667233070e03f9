"""What is refused is in the log once, with its reason; a flood of it is a number."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.http.limits import Rate
from api.http.refusals import LINES_A_SECOND, Refusals
from tests.support.desk import Desk, Merchant
from tests.support.limited import like, limited

Lines = list[MutableMapping[str, Any]]
SECRET = "ana@customer.example"


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as lines:
        yield lines


def of(lines: Lines, status: int) -> Lines:
    return [line for line in lines if line["event"] == "request" and line["status"] == status]


async def test_a_token_that_is_not_accepted_is_logged_with_the_reason(desk: Desk, lines: Lines) -> None:
    await desk.client_with("e30.e30.AA").get("/me")
    (line,) = of(lines, 401)
    assert (line["route"], line["reason"], line["subject"], line["merchant_id"]) == ("/me", "wrong algorithm", None, None)
    assert "e30" not in str(lines)


async def test_what_a_role_may_not_do_is_logged_with_who_asked(acme: Merchant, lines: Lines) -> None:
    await acme.rita.get("/reports/queues")
    (line,) = of(lines, 403)
    assert (line["reason"], line["subject"], line["merchant_id"]) == ("forbidden", f"rita-{acme.id}", acme.id)


@pytest.mark.parametrize("path", [f"/tickets/{SECRET}", f"/nothing/{SECRET}", f"/surveys/{SECRET}", f"/tickets?q={SECRET}"])
async def test_the_path_as_it_was_sent_is_not_logged(acme: Merchant, lines: Lines, path: str) -> None:
    await acme.ana.get(path)
    (line,) = (line for line in lines if line["event"] == "request")
    assert SECRET not in str(line)
    assert line.get("reason") == ("not_found" if line["status"] == 404 else None)


async def test_a_page_that_refuses_is_logged_with_the_reason(desk: Desk, lines: Lines) -> None:
    await desk.client_with(None, base="").get("/portal/tickets/x")
    (line,) = of(lines, 404)
    assert (line["route"], line["reason"]) == ("/portal/tickets/{token}", "not_found")


async def test_a_subject_that_is_an_address_is_logged_as_its_digest(desk: Desk, acme: Merchant, lines: Lines) -> None:
    await acme.client(SECRET, "reporter").get("/reports/queues")
    (line,) = of(lines, 403)
    assert len(line["subject"]) == 16
    assert SECRET not in str(line)


async def test_too_much_is_logged_with_its_subject(desk: Desk, acme: Merchant, lines: Lines) -> None:
    ana = like(acme.ana, limited(desk, Rate(0.1, 1)))
    for _ in range(2):
        await ana.get("/me")
    (line,) = of(lines, 429)
    assert (line["reason"], line["subject"], line["merchant_id"]) == ("rate_limited", f"ana-{acme.id}", acme.id)


async def test_a_flood_is_a_few_lines_and_the_number_of_those_left_out(desk: Desk, lines: Lines) -> None:
    refusals = Refusals()
    for _ in range(100):
        refusals.log({}, 418, {"status": 418})  # no API's status: what other tests left out may be told meanwhile
    refusals.log({}, 419, {"status": 419})
    assert (len(of(lines, 418)), len(of(lines, 419))) == (LINES_A_SECOND, 1)

    async def look() -> list[int]:
        return [line["count"] for line in lines if line["event"] == "request.refusals_left_out" and line["status"] in {418, 419}]

    assert await desk.until(look, lambda counts: counts != []) == [100 - LINES_A_SECOND]
    refusals.log({}, 418, {"status": 418})
    assert len(of(lines, 418)) == LINES_A_SECOND + 1
