"""The outermost layer: what is half a request does nothing, and every answer has its id and its line of log."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from api.app import create_app
from tests.http.cut import cut
from tests.support.desk import BASE, Desk, Merchant


@pytest.mark.parametrize("pieces", [[], [b""], [b'{"ticketId": "1'], [b"{}"]])
async def test_a_check_whose_body_was_cut_does_not_begin(pieces: list[bytes], desk: Desk, acme: Merchant) -> None:
    assert await cut(desk, acme.lars, f"{BASE}/sla/checks", pieces) == []
    assert (await acme.lars.get("/jobs")).json()["data"] == []


async def test_a_move_whose_reason_was_cut_is_not_made(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    assert await cut(desk, resting.lars, f"{BASE}/tickets/{ticket['id']}/close", []) == []
    assert (await resting.get(ticket["id"]))["status"] == "new"


async def test_who_goes_away_too_early_is_in_the_log(desk: Desk, acme: Merchant) -> None:
    with capture_logs() as lines:
        await cut(desk, acme.lars, f"{BASE}/sla/checks", [b"{"])
    assert [line["status"] for line in lines if line["event"] == "request"] == [499]


def _broken(desk: Desk) -> FastAPI:
    """The app with a route that has a defect."""
    app = create_app(desk.app.state.context)

    async def divide() -> float:
        return 1 / 0

    app.get("/broken")(divide)
    return app


async def test_what_nobody_foresaw_has_its_id_and_its_line_of_log(desk: Desk) -> None:
    app = _broken(desk)
    with capture_logs() as lines:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as client:
            response = await client.get("/broken", headers={"X-Request-Id": "mine"})
    assert (response.status_code, response.headers["X-Request-Id"], response.json()["requestId"]) == (500, "mine", "mine")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "division" not in response.text
    assert [(line["status"], line["route"]) for line in lines if line["event"] == "request"] == [(500, "/broken")]


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {"Content-Length": "2000000"}])
async def test_what_is_said_of_a_body_does_not_matter_where_none_is_read(headers: dict[str, str], acme: Merchant) -> None:
    assert (await acme.ana.get("/tickets", headers=headers)).status_code == 200
    assert (await acme.lars.delete("/tickets/9", headers=headers)).status_code == 404


async def test_a_token_is_judged_before_the_body_and_a_permission_before_its_content(
    desk: Desk, ticket: dict[str, Any], resting: Merchant
) -> None:
    json = {"Content-Type": "application/json"}
    assert (await desk.client_with(None).post("/tickets", content=b"{", headers=json)).status_code == 401
    assert (await resting.rita.post(f"/tickets/{ticket['id']}/assign", content=b"{", headers=json)).status_code == 403
    assert (await resting.rita.post("/tickets/9/assign", content=b"{", headers=json)).status_code == 404
    assert (await resting.ana.post(f"/tickets/{ticket['id']}/assign", content=b"{", headers=json)).status_code == 422
