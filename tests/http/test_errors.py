"""Every error of ours has a status and a code, and leaves as problem+json."""

import json
from collections.abc import Iterator
from typing import TypeVar

import pytest

from api.http.problems import problem
from models import errors
from models.errors import Conflict, HelpdeskError, IllegalTransition, Invalid, NotFound
from models.tickets.lifecycle import Status
from tests.support.desk import Merchant

_Error = TypeVar("_Error", bound=Exception)
EXAMPLES: list[tuple[HelpdeskError, int, str]] = [
    (NotFound(), 404, "not_found"),
    (IllegalTransition(Status.CLOSED, "hold", []), 409, "illegal_move"),
    (Conflict("already_assigned", "Taken."), 409, "already_assigned"),
    (Invalid("unknown_agent", "None.", "/agentId"), 422, "invalid_request"),
]


def _leaves(error: type[_Error]) -> Iterator[type[_Error]]:
    for child in error.__subclasses__():
        yield child
        yield from _leaves(child)


@pytest.mark.parametrize(("error", "status", "code"), EXAMPLES, ids=[type(error).__name__ for error, _, _ in EXAMPLES])
def test_what_an_operation_refuses_has_a_status_and_a_code(error: HelpdeskError, status: int, code: str) -> None:
    response = problem(error, path="/", request_id="r")
    said = json.loads(bytes(response.body))
    assert (response.status_code, said["status"], said["code"], said["detail"]) == (status, status, code, error.detail)


@pytest.mark.parametrize("error", list(_leaves(HelpdeskError)), ids=lambda error: error.__name__)
def test_every_error_has_a_status_a_code_and_a_title(error: type[HelpdeskError]) -> None:
    assert 400 <= error.status < 600
    assert error.status != 500
    assert error.code == error.code.lower().replace(" ", "_") != "internal_error"
    assert error.title


def test_codes_are_stable_and_nobody_shares_one() -> None:
    codes = [error.code for error in _leaves(HelpdeskError)]
    assert len(codes) == len(set(codes))


def test_the_tree_on_top_of_the_file_names_every_error() -> None:
    ours = [error for error in _leaves(HelpdeskError) if error.__module__ == errors.__name__]
    assert ours
    assert [error.__name__ for error in ours if f"{error.__name__} " not in (errors.__doc__ or "")] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/tickets/", 404, "not_found"),
        ("PUT", "/tickets", 405, "method_not_allowed"),
        ("GET", "/tickets/1/hold", 405, "method_not_allowed"),
        ("GET", "/tickets/x", 404, "not_found"),
    ],
)
async def test_what_the_framework_refuses_looks_the_same(method: str, path: str, status: int, code: str, acme: Merchant) -> None:
    response = await acme.ana.request(method, path)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert response.json().keys() >= {"type", "title", "status", "detail", "instance", "code", "requestId"}
    assert (response.json()["code"], response.json()["type"]) == (code, f"urn:helpdesk:problem:{code}")
