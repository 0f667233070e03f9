"""What clients typically get wrong, and what they are told to do instead."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

from deploy.local.identity import Wanted
from tests.support.desk import Desk, Merchant

JSON = {"Content-Type": "application/json"}
LAST = {"If-Match": "*"}
NEW = {"subject": "s", "description": "d", "category": "general"}


class Mistake(NamedTuple):
    """``remedy`` is a phrase of what the response says to do."""

    who: str
    method: str
    path: str
    status: int
    code: str
    remedy: str
    sent: Mapping[str, Any] = MappingProxyType({})


TICKET = "/tickets/{id}"
MISTAKES = {
    "no token": Mistake("nobody", "GET", "/tickets", 401, "unauthenticated", "send Authorization: Bearer"),
    "a token without its scheme": Mistake(
        "nobody", "GET", "/tickets", 401, "unauthenticated", "send Authorization: Bearer", {"headers": {"Authorization": "ey.ey.x"}}
    ),
    "a token cut short": Mistake(
        "nobody", "GET", "/tickets", 401, "unauthenticated", "get a new one", {"headers": {"Authorization": "Bearer ey.ey"}}
    ),
    "another path": Mistake("ana", "GET", "/ticket", 404, "not_found", "/docs lists"),
    "a slash at the end": Mistake("ana", "GET", "/tickets/", 404, "not_found", "/docs lists"),
    "a number for an id": Mistake("ana", "GET", "/tickets/17", 404, "not_found", "by its number: GET /tickets?number="),
    "another method": Mistake("ana", "PUT", TICKET, 405, "method_not_allowed", "GET, PATCH, DELETE", {"json": {}}),
    "a verb that is read": Mistake("ana", "GET", f"{TICKET}/close", 405, "method_not_allowed", "What is: POST"),
    "no If-Match": Mistake("ana", "PATCH", TICKET, 428, "precondition_required", 'If-Match: "7"', {"json": {"subject": "x"}}),
    "an If-Match without quotes": Mistake(
        "ana", "PATCH", TICKET, 400, "if_match_invalid", "with its quotes", {"json": {"subject": "x"}, "headers": {"If-Match": "1"}}
    ),
    "an If-Match of another version": Mistake(
        "ana", "PATCH", TICKET, 412, "stale_version", "send its ETag", {"json": {"subject": "x"}, "headers": {"If-Match": '"999"'}}
    ),
    "JSON that says it is a form": Mistake(
        "ana",
        "POST",
        "/tickets",
        415,
        "unsupported_media_type",
        "Content-Type: application/json",
        {"content": b"{}", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ),
    "JSON that does not say so": Mistake(
        "ana", "POST", "/tickets", 415, "unsupported_media_type", "Content-Type: application/json", {"content": b"{}"}
    ),
    "a packed body": Mistake(
        "ana",
        "POST",
        "/tickets",
        415,
        "unsupported_media_type",
        "without Content-Encoding",
        {"content": b"x", "headers": JSON | {"Content-Encoding": "gzip"}},
    ),
    "a comma too many": Mistake(
        "ana", "POST", "/tickets", 422, "invalid_json", "trailing comma", {"content": b'{"a":1,}', "headers": JSON}
    ),
    "no body": Mistake("ana", "POST", "/tickets", 422, "missing", "Field required", {"headers": JSON}),
    "a large reason": Mistake(
        "ana", "POST", f"{TICKET}/hold", 413, "body_too_large", "65536 bytes", {"content": b" " * 70_000, "headers": JSON}
    ),
    "snake_case": Mistake("ana", "POST", "/tickets", 422, "extra_forbidden", "customFields", {"json": NEW | {"custom_field": {}}}),
    "an unknown category": Mistake("ana", "POST", "/tickets", 422, "unknown_category", "billing", {"json": NEW | {"category": "nope"}}),
    "PATCH to an unknown category": Mistake(
        "ana", "PATCH", TICKET, 422, "unknown_category", "billing", {"json": {"category": "nope"}, "headers": LAST}
    ),
    "an unknown priority": Mistake("ana", "POST", "/tickets", 422, "enum", "'urgent'", {"json": NEW | {"priority": "P1"}}),
    "an id as a number": Mistake("ana", "POST", f"{TICKET}/assign", 422, "value_error", "a string of digits", {"json": {"agentId": 12}}),
    "nobody to assign to": Mistake("ana", "POST", f"{TICKET}/assign", 422, "value_error", "give agentId, or teamId", {"json": {}}),
    "a time without a zone": Mistake(
        "ana", "POST", f"{TICKET}/snooze", 422, "timezone_aware", "timezone", {"json": {"until": "2030-01-01T00:00:00"}}
    ),
    "an unknown filter": Mistake("ana", "GET", "/tickets?state=open", 422, "extra_forbidden", "/docs lists"),
    "an unknown status": Mistake("ana", "GET", "/tickets?status=done", 422, "enum", "'resolved'"),
    "a page that is too long": Mistake("ana", "GET", "/tickets?limit=1000", 422, "less_than_equal", "less than or equal to 100"),
    "a cursor of another list": Mistake("ana", "GET", "/tickets?after=x", 422, "invalid_cursor", "begin again without `after`"),
    "a move that is not possible": Mistake("ana", "POST", f"{TICKET}/reopen", 409, "illegal_move", "It can become: "),
    "an empty Idempotency-Key": Mistake(
        "ana", "POST", "/tickets", 400, "idempotency_key_invalid", "1 to 255", {"json": NEW, "headers": {"Idempotency-Key": ""}}
    ),
    "a token of several merchants": Mistake("otto", "GET", "/tickets", 400, "merchant_required", "X-Merchant-Id"),
}
VERBS = {
    "status": "/close",
    "assigneeId": "/assign",
    "teamId": "/assign",
    "escalationLevel": "/escalate",
    "deletedAt": "DELETE",
    "mergedIntoId": "/merge",
    "description": "/messages",
}
MISTAKES |= {
    f"PATCH of {name}": Mistake("ana", "PATCH", TICKET, 422, "extra_forbidden", verb, {"json": {name: "x"}, "headers": LAST})
    for name, verb in VERBS.items()
}


def _client(who: str, merchant: Merchant) -> httpx.AsyncClient:
    desk, both = merchant.desk, (str(merchant.id), "1")
    clients = {
        "nobody": lambda: desk.client_with(None),
        "otto": lambda: desk.client_with(desk.identity.token(Wanted(sub="otto", merchant_ids=both, roles=("agent",)))),
        "ana": lambda: merchant.ana,
    }
    return clients[who]()


@pytest.fixture(scope="module")
async def shop(whole_desk: Desk) -> tuple[Merchant, str]:
    merchant = await whole_desk.merchant("shop")
    return merchant, (await merchant.open(category="general"))["id"]


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_a_mistake_is_answered_with_its_remedy(mistake: Mistake, shop: tuple[Merchant, str]) -> None:
    merchant, ticket_id = shop
    response = await _client(mistake.who, merchant).request(mistake.method, mistake.path.format(id=ticket_id), **mistake.sent)
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    told = [problem, *problem.get("errors", [])]
    assert response.status_code == mistake.status, problem
    assert any(each["code"] == mistake.code and mistake.remedy in each["detail"] for each in told), problem


async def test_405_names_all_methods_of_a_path(shop: tuple[Merchant, str]) -> None:
    merchant, ticket_id = shop
    allowed = {
        path: (await merchant.ana.put(path, json={})).headers["Allow"]
        for path in ("/tickets", f"/tickets/{ticket_id}", f"/tickets/{ticket_id}/hold")
    }
    assert list(allowed.values()) == ["GET, POST", "GET, PATCH, DELETE", "POST"]


async def test_a_ticket_is_found_by_its_number(shop: tuple[Merchant, str]) -> None:
    merchant, ticket_id = shop
    number = (await merchant.get(ticket_id))["number"]
    assert [ticket["id"] for ticket in (await merchant.ana.get(f"/tickets?number={number}")).json()["data"]] == [ticket_id]
    assert (await merchant.ana.get(f"/tickets?number={number + 100}")).json()["data"] == []
