"""Every error of ours has a status and a code, and leaves as problem+json."""

from collections.abc import Iterator
from typing import TypeVar

import pytest

from api import errors
from api.errors import ApiError
from api.http import problems
from models import errors as operations
from models.errors import Conflict, IllegalTransition, Invalid, NotFound, Refused
from models.tickets.lifecycle import Status
from tests.support.desk import Merchant

_Error = TypeVar("_Error", bound=Exception)
EXAMPLES: dict[type[Refused], tuple[Refused, int, str]] = {
    NotFound: (NotFound(), 404, "not_found"),
    IllegalTransition: (IllegalTransition(Status.CLOSED, "hold", []), 409, "illegal_move"),
    Conflict: (Conflict("already_assigned", "Taken."), 409, "already_assigned"),
    Invalid: (Invalid("unknown_agent", "None.", "/agentId"), 422, "invalid_request"),
}


def _leaves(error: type[_Error]) -> Iterator[type[_Error]]:
    for child in error.__subclasses__():
        yield child
        yield from _leaves(child)


def test_every_refusal_has_an_example_here() -> None:
    assert set(_leaves(Refused)) == set(EXAMPLES)


@pytest.mark.parametrize(("refusal", "status", "code"), EXAMPLES.values(), ids=[kind.__name__ for kind in EXAMPLES])
def test_every_refusal_has_a_status_and_a_code(refusal: Refused, status: int, code: str) -> None:
    response = problems.translate(refusal)
    assert (response.status, response.code, response.detail) == (status, code, refusal.detail)


@pytest.mark.parametrize("error", list(_leaves(ApiError)), ids=lambda error: error.__name__)
def test_every_error_of_the_api_has_a_status_a_code_and_a_title(error: type[ApiError]) -> None:
    assert 400 <= error.status < 600
    assert error.status != 500
    assert error.code == error.code.lower().replace(" ", "_") != "internal_error"
    assert error.title


def test_codes_are_stable_and_nobody_shares_one() -> None:
    codes = [error.code for error in _leaves(ApiError)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("module", [errors, operations])
def test_the_tree_on_top_of_the_file_names_every_error(module: object) -> None:
    root = ApiError if module is errors else Refused
    missing = [error.__name__ for error in root.__subclasses__() if error.__name__ not in (module.__doc__ or "")]
    assert missing == []


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
