"""The served document: agrees with what is announced, and with what is answered."""

from re import findall
from typing import Any

import pytest

from api.http.openapi import Problem
from api.people import AgentResponse
from api.tickets.responses import TicketResponse
from tests.http.snapshot import FILE, document, written
from tests.support.desk import BASE, Desk, Merchant

PROBLEM = "#/components/schemas/Problem"


async def test_the_document_changes_only_with_its_snapshot(desk: Desk) -> None:
    served = (await desk.client_with(None, base="").get("/openapi.json")).json()
    assert written(served) == FILE.read_text(), "announce it: python -m tests.http.snapshot"


def test_operations_have_short_names_of_their_own() -> None:
    names = [operation["operationId"] for verbs in document()["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


def test_the_document_is_the_same_each_time_it_is_made() -> None:
    assert written(document()) == written(document())


def test_every_path_lies_under_the_base_but_the_probes() -> None:
    assert {path for path in document()["paths"] if not path.startswith(f"{BASE}/")} == {"/healthz", "/readyz"}


DOCUMENT = document()
OPERATIONS = [(verb, path, of) for path, verbs in DOCUMENT["paths"].items() for verb, of in verbs.items()]
each_operation = pytest.mark.parametrize(("verb", "path", "operation"), OPERATIONS, ids=[of["operationId"] for _, _, of in OPERATIONS])


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    found: Any = DOCUMENT if "$ref" in part else part
    for name in part.get("$ref", "#").split("/")[1:]:
        found = found[name]
    return dict(found)


def _headers(operation: dict[str, Any]) -> dict[str, bool]:
    parameters = [_resolved(each) for each in operation.get("parameters", [])]
    return {each["name"]: each["required"] for each in parameters if each["in"] == "header"}


@each_operation
def test_every_error_is_announced_as_a_problem(verb: str, path: str, operation: dict[str, Any]) -> None:
    errors = {status: _resolved(said) for status, said in operation["responses"].items() if int(status) >= 400}
    shape = None if "health" in operation["tags"] else {"application/problem+json": {"schema": {"$ref": PROBLEM}}}
    assert all(said.get("content") == shape for said in errors.values())
    assert {"401", "403", "404"} <= errors.keys() or "security" not in operation
    assert ("429" in errors) == ("health" not in operation["tags"])
    assert "409" in errors or verb == "get"
    assert "422" in errors or "requestBody" not in operation


@each_operation
def test_every_answer_is_announced_with_its_request_id(verb: str, path: str, operation: dict[str, Any]) -> None:
    assert all("X-Request-Id" in _resolved(said)["headers"] for said in operation["responses"].values())


@each_operation
def test_the_headers_that_an_operation_takes_are_announced(verb: str, path: str, operation: dict[str, Any]) -> None:
    headers = _headers(operation)
    assert ("X-Merchant-Id" in headers) == ("security" in operation)
    assert ("Idempotency-Key" in headers) == (verb == "post")
    if "/tickets/{ticket_id}" in path and verb != "get":
        assert headers["If-Match"] is (verb == "patch")
        assert ("428" in operation["responses"], "412" in operation["responses"]) == (verb == "patch", True)


def test_nothing_of_the_frameworks_own_errors_is_announced() -> None:
    assert "ValidationError" not in written(document())


async def test_a_problem_has_the_fields_that_are_announced(ticket: dict[str, Any], resting: Merchant) -> None:
    path, schema = f"/tickets/{ticket['id']}", document()["components"]["schemas"][Problem.__name__]
    stale = await resting.ana.patch(path, json={}, headers={"If-Match": '"0"'})
    many = await resting.ana.post("/tickets", json={f"f{number}": 1 for number in range(60)})
    answers = [stale, many, await resting.ana.post(f"{path}/reopen")]
    seen = [response.json().keys() for response in answers]
    assert all(set(schema["required"]) <= keys for keys in seen)
    assert set().union(*seen) == schema["properties"].keys()


async def test_an_answer_has_the_fields_that_are_announced(ticket: dict[str, Any], resting: Merchant) -> None:
    schemas = document()["components"]["schemas"]
    seen = await resting.get(ticket["id"])
    agent = (await resting.lars.get("/agents")).json()["data"][0]
    assert seen.keys() == schemas[TicketResponse.__name__]["properties"].keys()
    assert agent.keys() == schemas[AgentResponse.__name__]["properties"].keys()


async def test_the_docs_are_served_by_us_alone(desk: Desk) -> None:
    client = desk.client_with(None, base="")
    page = await client.get("/docs")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "//" not in page.text.replace("/docs/", "")
    kinds = {
        part: (await client.get(part)).headers["Content-Type"].partition(";")[0] for part in findall(r'(?:src|href)="([^"]*)"', page.text)
    }
    assert list(kinds.values()) == ["text/css", "text/javascript", "text/javascript"]
    assert 'url: "/openapi.json"' in (await client.get("/docs/start.js")).text
    assert 'PACKAGE_VERSION:"5.' in (await client.get("/docs/parts/swagger-ui-bundle.js")).text  # 4 can't read OpenAPI 3.1
