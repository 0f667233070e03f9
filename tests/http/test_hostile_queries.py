"""Query strings and bodies that nobody would write: every parameter of the list with hostile values, and random ones."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.tickets.filters import TicketQuery
from tests.support.desk import Desk, Merchant

NAMES = sorted(field.alias or name for name, field in TicketQuery.model_fields.items())
HOSTILE = [
    "",
    "%00",
    "a%00b",
    "%ff",
    "%ED%A0%80",
    "'",
    "';select pg_sleep(9)--",
    "1 or 1=1",
    "(select 1)",
    "\\",
    "%25",
    "(((",
    "a & | !",
    "<->",
    ":*",
    "9223372036854775808",
    "99999999999999999999999",
    "-9223372036854775809",
    "1e400",
    "NaN",
    "-0",
    "null",
    "true",
    ",,,",
    "*",
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2024-02-30T00:00:00Z",
    "2024-01-01",
    "2024-01-01T00:00:00",
    "253402300800",
    "-62135596801",
    "%D9%A3",
    "x" * 3000,
    "createdAt desc",
    "-",
    "--createdAt",
    "id",
    "description",
]


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> Merchant:
    merchant = await whole_desk.merchant("shop")
    await merchant.open(category="general")
    return merchant


@pytest.mark.parametrize("name", NAMES)
async def test_no_value_of_a_parameter_breaks_the_list(name: str, shop: Merchant) -> None:
    for value in HOSTILE:
        for path in ("/tickets", "/tickets/count"):
            response = await shop.adam.get(f"{path}?{name}={value}")
            assert response.status_code in {200, 422}, (name, value, response.text)
            if response.status_code == 422:
                assert response.headers["Content-Type"] == "application/problem+json"
                assert response.json()["errors"][0]["pointer"].startswith("/query/"), (name, value)


@pytest.mark.parametrize("name", ["limit", "after"])
@pytest.mark.parametrize("path", ["/agents", "/tickets/{}/messages", "/tickets/{}/events", "/tickets/{}/notifications"])
async def test_no_value_breaks_the_other_lists(path: str, name: str, shop: Merchant) -> None:
    ticket = (await shop.adam.get("/tickets")).json()["data"][0]
    for value in HOSTILE:
        response = await shop.adam.get(f"{path.format(ticket['id'])}?{name}={value}")
        assert response.status_code in {200, 422}, (name, value, response.text)


@pytest.mark.parametrize(
    "query", ["nope=1", "status=open&merchantId=1", "offset=5", "status[]=open", "&&&=", "a=b=c", ";", "status=open;priority=low"]
)
async def test_a_parameter_that_does_not_exist_is_refused(query: str, shop: Merchant) -> None:
    response = await shop.adam.get(f"/tickets?{query}")
    assert response.status_code == 422, response.text


@pytest.mark.parametrize("until", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "never", 1e400, -1, True])
async def test_an_absurd_end_of_an_absence_is_no_fault_of_ours(until: Any, shop: Merchant) -> None:
    content = json.dumps({"state": "away", "until": until})
    path = f"/agents/{shop.agents['ana']}/availability"
    response = await shop.ana.put(path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code in {200, 422}, response.text


TEXT = st.text(max_size=20) | st.sampled_from(["general", "urgent", "new", "7", "\0", "\ud800", "a\r\nb"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["subject", "description", "priority", "category", "organizerId", "channel", "tags", "customFields", "reporter", "id"]
)
BODIES = ANYTHING | st.dictionaries(FIELDS, ANYTHING).map(lambda fields: {"subject": "s", "description": "d"} | fields)
QUERIES = st.lists(st.tuples(st.sampled_from(NAMES), TEXT | st.sampled_from(HOSTILE) | st.integers().map(str)), max_size=4)
Ask = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
async def asked(shop: Merchant) -> list[tuple[str, Any, int]]:
    """Random requests are drawn first, then asked on the loop that everything else lives on."""
    drawn: list[tuple[str, Any]] = []
    await asyncio.to_thread(_draw, drawn)
    answers = []
    for kind, content in drawn:
        response = await (_list(shop, content) if kind == "list" else _open(shop, content))
        answers.append((kind, content, response.status_code))
    return answers


def _draw(drawn: list[tuple[str, Any]]) -> None:
    @settings(max_examples=150, database=None, derandomize=True, suppress_health_check=list(HealthCheck), deadline=None)
    @given(BODIES, QUERIES)
    def draw(body: Any, query: Any) -> None:
        drawn.extend((("open", body), ("list", query)))

    draw()


async def _open(shop: Merchant, body: Any) -> Any:
    return await shop.ana.post("/tickets", content=json.dumps(body), headers={"Content-Type": "application/json"})


async def _list(shop: Merchant, query: Any) -> Any:
    return await shop.adam.get("/tickets", params=[(name, value.encode(errors="surrogatepass")) for name, value in query])


def test_no_random_request_is_a_fault_of_ours(asked: list[tuple[str, Any, int]]) -> None:
    assert [each for each in asked if each[2] >= 500] == []


def test_random_requests_reach_the_database_too(asked: list[tuple[str, Any, int]]) -> None:
    kinds = {(kind, status) for kind, _, status in asked}
    assert {("open", 201), ("open", 422), ("list", 200), ("list", 422)} <= kinds
