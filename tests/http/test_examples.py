"""The examples of the document are what the routes take and give: each is read by the route's own model, and written again as it was."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.http.snapshot import document, routes
from tests.support.desk import BASE

DOCUMENT = document()
ROUTES = routes()
OPERATIONS = [of for verbs in DOCUMENT["paths"].values() for of in verbs.values()]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=[of["operationId"] for of in OPERATIONS])
each_route = pytest.mark.parametrize("route", ROUTES, ids=[route.name for route in ROUTES])


def _of_json(said: dict[str, Any]) -> dict[str, Any]:
    return dict(said.get("content", {}).get("application/json", {}))


@each_operation
def test_every_body_has_an_example(operation: dict[str, Any]) -> None:
    bodies = [_of_json(said) for status, said in operation["responses"].items() if int(status) < 400 and status != "204"]
    assert all(body["example"] for body in bodies)
    assert "requestBody" not in operation or _of_json(operation["requestBody"])["example"]


def test_every_error_has_an_example() -> None:
    assert all(said["content"]["application/problem+json"]["example"] for said in DOCUMENT["components"]["responses"].values())


@each_route
def test_an_example_of_a_body_is_one_that_the_route_takes(route: Any) -> None:
    if route.body_field is not None:
        example = _of_json(_operation(route)["requestBody"])["example"]
        assert route.body_field.validate(example, loc=("body",))[1] == []


@each_route
def test_an_example_of_a_response_is_one_that_the_route_gives(route: Any) -> None:
    if route.response_model is not None:
        example = _of_json(_operation(route)["responses"][str(route.status_code or 200)])["example"]
        shown: TypeAdapter[Any] = TypeAdapter(route.response_model)
        assert shown.dump_python(shown.validate_python(example), mode="json", by_alias=True, exclude_unset=True) == example


def _operation(route: Any) -> dict[str, Any]:
    return dict(DOCUMENT["paths"][f"{BASE}{route.path}"][min(route.methods).lower()])
