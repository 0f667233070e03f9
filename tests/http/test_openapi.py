"""The served document: agrees with what is announced, and with what is answered."""

import json
from collections.abc import Iterator
from re import findall
from typing import Any

import pytest

from api.agents import AgentResponse
from api.http.openapi import Problem
from api.tickets.responses import AnyTicket, TicketResponse
from models.people.permissions import Scope, may
from models.people.roles import Role
from models.sla.clock import ClockStatus, SlaStatus
from tests.http.snapshot import FILE, document, routes, written
from tests.support.desk import BASE, Desk, Merchant

PROBLEM = "#/components/schemas/Problem"


async def test_the_document_changes_only_with_its_snapshot(desk: Desk) -> None:
    served = await desk.client_with(None, base="").get("/openapi.json")
    assert written(document()) == served.text == FILE.read_text(), "announce it: python -m tests.http.snapshot"


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
    if "health" not in operation["tags"]:
        assert {said["content"]["application/problem+json"]["schema"]["$ref"] for said in errors.values()} == {PROBLEM}
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


@each_operation
def test_what_is_made_and_what_goes_on_is_announced_in_headers(verb: str, path: str, operation: dict[str, Any]) -> None:
    of_success = {status: said for status, said in operation["responses"].items() if int(status) < 400}
    for status, said in of_success.items():
        is_page = "Page_" in json.dumps(said.get("content", {}).get("application/json", {}).get("schema", {}))
        announced = {name: name in said["headers"] for name in ("Location", "Idempotent-Replayed", "Link")}
        assert announced == {"Location": status in ("201", "202"), "Idempotent-Replayed": verb == "post", "Link": is_page}
        assert "ETag" in said["headers"] or "TicketResponse" not in json.dumps(said) or is_page


@each_operation
def test_an_operation_says_what_it_does_and_whom_it_is_of(verb: str, path: str, operation: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert operation["description"]
    assert all(tags[tag] for tag in operation["tags"])
    assert operation["operationId"].partition("_")[1:] > ("_", ""), "a verb and a noun"


@each_operation
def test_a_body_is_named_and_never_null(verb: str, path: str, operation: dict[str, Any]) -> None:
    content = operation.get("requestBody", {"content": {}})["content"]
    assert all(said["schema"].keys() == {"$ref"} for said in content.values())


@each_operation
def test_an_id_in_a_path_is_a_text_of_digits(verb: str, path: str, operation: dict[str, Any]) -> None:
    ids = [each["schema"] for each in operation.get("parameters", []) if each["in"] == "path" and each["name"].endswith("_id")]
    assert all((schema["pattern"], schema["maxLength"]) == ("^[1-9][0-9]{0,18}$", 19) for schema in ids)


def _ids(name: str, schema: Any) -> Iterator[tuple[str, Any]]:
    """Every property whose name says that it is an id."""
    for field, said in schema.get("properties", {}).items():
        if field == "id" or field.endswith("Id"):
            yield f"{name}.{field}", next((each for each in said.get("anyOf", ()) if each["type"] != "null"), said)


def test_an_id_in_a_body_is_a_text_of_digits() -> None:
    ids = [each for name, schema in DOCUMENT["components"]["schemas"].items() for each in _ids(name, schema)]
    assert len(ids) > 50
    assert [name for name, said in ids if said.get("pattern") != "^[1-9][0-9]{0,18}$" and not name.endswith(".requestId")] == []


def test_who_may_be_a_reporter_is_told_of_both_shapes_of_a_ticket() -> None:
    for route in (route for route in routes() if route.response_model in (TicketResponse, AnyTicket)):
        is_for_reporters = may([Role.REPORTER], route.permission) >= Scope.OWN
        assert (route.response_model == AnyTicket) == is_for_reporters, route.path


def test_a_ticket_has_the_status_of_one_of_its_clocks_or_none() -> None:
    assert {*SlaStatus} == {SlaStatus.NONE.value, *ClockStatus}


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
