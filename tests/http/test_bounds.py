"""What one request may cost everybody: bodies, lists, answers, and what is read for those who show no token."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.types import Message
from structlog.testing import capture_logs

from api.http.body import MAX_VALUES, WITH_BODY
from api.http.problems import MAX_BODY, SMALL_BODY
from deploy.local.postgres import EmbeddedPostgres
from models.db import pool
from models.db.session import Database
from models.errors import MAX_LISTED
from tests.http.snapshot import document
from tests.support.desk import BASE, NODE, Desk, Merchant, context_of

JSON = {"Content-Type": "application/json"}
NEW = {"subject": "s", "description": "d"}


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> Merchant:
    return await whole_desk.merchant("shop")


async def test_a_mebibyte_of_empty_tags_is_refused_in_a_word(shop: Merchant) -> None:
    body = json.dumps(NEW | {"tags": [""] * 300_000}, separators=(",", ":"))
    response = await shop.ana.post("/tickets", content=body, headers=JSON)
    assert [each["code"] for each in response.json()["errors"]] == ["too_many_values"]
    assert len(response.content) < 1000


@pytest.mark.parametrize(("name", "bad"), [("tags", [""] * 20_000), ("customFields", {"": 1} | {f"{n}": n for n in range(12_000)})])
async def test_a_list_is_counted_before_its_items(name: str, bad: Any, shop: Merchant) -> None:
    problem = (await shop.ana.post("/tickets", json=NEW | {name: bad})).json()
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [(f"/{name}", "too_long")]


def _arrays(schema: Any, schemas: dict[str, Any], at: str, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if not isinstance(schema, dict):
        return
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name and name not in seen:
        yield from _arrays(schemas[name], schemas, f"{at}/{name}", seen | {name})
    if schema.get("type") == "array":
        yield at, schema
    for key, part in schema.items():
        yield from _arrays(part, schemas, f"{at}/{key}", seen)


def test_every_list_of_every_body_and_query_has_a_bound() -> None:
    whole = document()
    schemas, unbounded = whole["components"]["schemas"], []
    for path, operations in whole["paths"].items():
        for operation in operations.values():
            sent = [operation.get("requestBody", {}), [each["schema"] for each in operation.get("parameters", [])]]
            unbounded += [f"{path} {at}" for at, array in _arrays(sent, schemas, "") if "maxItems" not in array]
    assert unbounded == []


async def test_of_many_errors_fifty_are_listed_and_the_others_counted(shop: Merchant) -> None:
    response = await shop.ana.post("/tickets", json=NEW | {f"f{n}": n for n in range(MAX_VALUES // 2 - 10)})
    problem = response.json()
    assert (len(problem["errors"]), problem["errorsOmitted"]) == (MAX_LISTED, MAX_VALUES // 2 - 10 - MAX_LISTED)
    assert len(response.content) < 20_000
    few = (await shop.ana.post("/tickets", json=NEW | {"f": 1})).json()
    assert "errorsOmitted" not in few


async def test_a_repeated_filter_value_is_one_and_different_ones_are_few(shop: Merchant) -> None:
    repeated = [",".join(["open"] * 1000), *["open"] * 1000]
    assert (await shop.ana.get("/tickets", params={"status": repeated})).status_code == 200
    for name in ("status", "priority", "category", "tag", "slaStatus"):
        problem = (await shop.ana.get("/tickets", params={name: ",".join(map(str, range(5000)))})).json()
        assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [(f"/query/{name}", "too_long")]


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/tickets", MAX_BODY),
        ("/tickets/{}/messages", MAX_BODY),
        ("/calendars/preview", MAX_BODY),
        ("/tickets/{}/assign", SMALL_BODY),
        ("/sla/checks", SMALL_BODY),
        ("/nothing", SMALL_BODY),
    ],
)
async def test_a_body_is_as_large_as_its_route_needs(path: str, limit: int, shop: Merchant) -> None:
    async def pieces() -> Any:
        for _ in range(limit // 1024 + 1):
            yield b" " * 1024

    whole = await shop.lars.post(path.format(1), content=b" " * (limit + 1), headers=JSON)
    in_pieces = await shop.lars.post(path.format(1), content=pieces(), headers=JSON)
    told = [response.status_code for response in (whole, in_pieces)]
    assert told == [413, 404 if path == "/nothing" else 413]
    assert f"{limit} bytes" in whole.json()["detail"]
    assert (await shop.lars.post(path.format(1), content=b" " * limit, headers=JSON)).status_code in {404, 422}


def _paths() -> list[tuple[str, str]]:
    """Every operation with a body, but the public ones, whose links are their tokens; and what there is not."""
    found = [
        (
            method.upper(),
            path.format(
                **dict.fromkeys(("ticket_id", "agent_id", "merchant_id", "job_id", "notification_id", "team_id", "name"), "1"), token="x"
            ),
        )
        for path, operations in document()["paths"].items()
        if "{calendar_id}" not in path and "{policy_id}" not in path and "{ladder_id}" not in path
        for method in operations
        if method.upper() in WITH_BODY
    ]
    return [*found, ("POST", f"{BASE}/nothing"), ("PATCH", "/"), ("PUT", f"{BASE}/tickets"), ("DELETE", f"{BASE}/tickets")]


async def test_no_body_is_read_for_those_who_show_no_token(desk: Desk) -> None:
    """The token is judged first; where there is nothing, nothing is read at all."""
    read: list[str] = []
    for method, path in _paths():
        statuses: list[int] = []

        async def receive(at: str = f"{method} {path}") -> Message:
            read.append(at)
            return {"type": "http.request", "body": b"{", "more_body": True}

        async def send(message: Message, statuses: list[int] = statuses) -> None:
            statuses += [message["status"]] if message["type"] == "http.response.start" else []

        headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer ey.ey.ey")]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "http_version": "1.1"}
        await desk.app(scope, receive, send)
        assert statuses[0] in {401, 404, 405}, path
    assert read == []


async def test_what_the_api_says_is_kept_by_nobody_and_is_what_it_says(desk: Desk, shop: Merchant) -> None:
    nobody = desk.client_with(None)
    answers = [await shop.ana.get("/tickets"), await shop.ana.get("/nothing"), await nobody.get("/me"), await nobody.get("/surveys/x")]
    for response in answers:
        assert (response.headers["Cache-Control"], response.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


async def test_no_path_as_it_came_is_in_the_log(shop: Merchant) -> None:
    with capture_logs() as lines:
        for path in ("/tickets/secret-1?q=secret-2", "/secret-3", "/surveys/secret-4", "/tickets?secret-5=1"):
            await shop.ana.get(path)
        await shop.ana.post("/tickets/secret-6/hold", content=b"{secret-7", headers=JSON)
    assert [line["status"] for line in lines if line["event"] == "request"] == [404, 404, 404, 422, 422]
    assert "secret" not in str(lines)


async def test_a_full_pool_is_busy_and_not_away(
    postgres: EmbeddedPostgres, desk: Desk, shop: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "POOL_WAIT_SECONDS", 0.1)
    database = Database(postgres.url("helpdesk_app"), pool_size=1, node=NODE)
    context = context_of(database, desk.app.state.context.keys, desk.relay)
    full = Desk(desk.environment, database, (desk.relay, desk.post), context, desk.identity, desk.mails)
    async with database.engine.connect() as only:
        await only.execute(sa.text("SELECT 1"))
        client = full.client_with(shop.ana.headers["Authorization"].removeprefix("Bearer "))
        response = await client.get("/tickets")
    await database.aclose()
    assert (response.status_code, response.headers["Retry-After"], response.json()["code"]) == (503, "1", "busy")
    assert "again after Retry-After" in response.json()["detail"]
