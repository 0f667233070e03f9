"""A client that a tool makes from the served document plays one ticket's life: what the document says is enough to work with."""

import importlib
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from tests.http.snapshot import FILE
from tests.support.desk import Desk, Merchant

NAME = "helpdesk_client"


class Generated:
    """The package, by its modules; ``of(...)`` is a client of one person."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.models: Any = importlib.import_module(f"{NAME}.models")

    def of(self, person: httpx.AsyncClient | None) -> Any:
        package, transport = importlib.import_module(NAME), httpx.ASGITransport(app=self._desk.app)
        kept = {"base_url": "http://desk.test", "httpx_args": {"transport": transport}}
        if person is None:
            return package.Client(**kept)
        return package.AuthenticatedClient(**kept, token=person.headers["Authorization"].removeprefix("Bearer "))

    async def call(self, client: Any, operation: str, *where: str, **given: Any) -> Any:
        """What the operation (``tickets.open_ticket``) gives, parsed."""
        return await importlib.import_module(f"{NAME}.api.{operation}").asyncio(*where, client=client, **given)


@pytest.fixture(scope="module")
def generated(whole_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    folder = tmp_path_factory.mktemp("generated")
    wanted = ConfigFile(package_name_override=NAME, post_hooks=[])
    assert generate(config=Config.from_sources(wanted, MetaType.NONE, FILE, "utf-8", overwrite=True, output_path=folder / NAME)) == []
    sys.path.insert(0, str(folder))
    yield Generated(whole_desk)
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def test_every_module_of_it_can_be_imported(generated: Generated) -> None:
    folder = importlib.import_module(NAME).__path__[0]
    found = sorted(Path(folder).rglob("*.py"))
    assert len(found) > 150
    for file in found:
        importlib.import_module(".".join((NAME, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"))


async def test_it_plays_one_tickets_life(generated: Generated, desk: Desk, acme: Merchant) -> None:
    models, call = generated.models, generated.call
    rita, ana = generated.of(acme.rita), generated.of(acme.ana)
    opened = await call(rita, "tickets.open_ticket", body=models.OpenTicket(subject="The till", description="Shut.", category="demo-fast"))
    await desk.until(lambda: acme.get(opened.id), lambda seen: seen["assigneeId"] is not None)
    reply = await call(ana, "comments.write_reply", opened.id, body=models.Reply(body="We come."))
    note = await call(ana, "comments.write_note", opened.id, body=models.Note(body="Again."))
    resolved = await call(ana, "tickets.resolve_ticket", opened.id)
    assert (type(opened), type(resolved)) == (models.ReporterTicketResponse, models.TicketResponse)
    assert (reply.kind, note.kind, reply.author.name) == (models.CommentKind.REPLY, models.CommentKind.NOTE, "Ana")
    assert (resolved.status, resolved.sla_status) == (models.Status.RESOLVED, models.SlaStatus.ACHIEVED)
    assert (await _answered(generated, desk, acme, opened.id)).score == 5


async def _answered(generated: Generated, desk: Desk, acme: Merchant, ticket_id: str) -> Any:
    """The survey that follows the resolution, found in the ticket's history and answered without a token."""
    await desk.pass_time(ticket_id, timedelta(seconds=3))
    ana, nobody = generated.of(acme.ana), generated.of(None)
    history = await desk.until(
        lambda: generated.call(ana, "history.list_events", ticket_id), lambda page: page.data[-1].kind == "survey.sent"
    )
    token = desk.survey_token(acme.id, history.data[-1].changes["surveyId"])
    return await generated.call(nobody, "surveys.answer_survey", token, body=generated.models.AnswerSurvey(score=5))


async def test_a_list_is_of_the_shape_that_its_reader_sees(generated: Generated, acme: Merchant, ticket: dict[str, Any]) -> None:
    pages = [await generated.call(generated.of(person), "tickets.list_tickets") for person in (acme.rita, acme.ana)]
    assert [hasattr(page.data[0], "assignee_id") for page in pages] == [False, True]


async def test_a_refusal_is_parsed_as_a_problem(generated: Generated, acme: Merchant, ticket: dict[str, Any]) -> None:
    refused = await generated.call(generated.of(acme.ana), "tickets.reopen_ticket", ticket["id"])
    assert (type(refused), refused.status, refused.code) == (generated.models.Problem, 409, "illegal_move")
