"""The served document: agrees with what is announced, and with what is answered."""

from typing import Any

from api.views import AgentView, TicketView
from tests.api.snapshot import FILE, document, written
from tests.desk import BASE, Desk, Merchant


async def test_the_document_changes_only_with_its_snapshot(desk: Desk) -> None:
    served = (await desk.client_with(None, base="").get("/openapi.json")).json()
    assert written(served) == FILE.read_text(), "announce it: python -m tests.api.snapshot"


def test_operations_have_short_names_of_their_own() -> None:
    names = [operation["operationId"] for verbs in document()["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


def test_the_document_is_the_same_each_time_it_is_made() -> None:
    assert written(document()) == written(document())


def test_every_path_lies_under_the_base_but_the_probes() -> None:
    assert {path for path in document()["paths"] if not path.startswith(f"{BASE}/")} == {"/healthz", "/readyz"}


async def test_an_answer_has_the_fields_that_are_announced(ticket: dict[str, Any], resting: Merchant) -> None:
    schemas = document()["components"]["schemas"]
    seen = await resting.get(ticket["id"])
    agent = (await resting.lars.get("/agents")).json()["data"][0]
    assert seen.keys() == schemas[TicketView.__name__]["properties"].keys()
    assert agent.keys() == schemas[AgentView.__name__]["properties"].keys()


async def test_the_docs_are_there_for_a_person(desk: Desk) -> None:
    answer = await desk.client_with(None, base="").get("/docs")
    assert (answer.status_code, "swagger" in answer.text) == (200, True)
