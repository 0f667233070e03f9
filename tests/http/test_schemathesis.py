"""Every operation of the document is called with what it allows and with what it forbids: no response that the document does not know.

SCHEMATHESIS=long (`make prove`) adds the tool's systematic cases, some ten thousand, and another seed each time.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.local.temporal import free_port
from tests.auth.table_of_routes import CALENDAR, LADDER
from tests.http.snapshot import routes
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated

IS_LONG = os.environ.get("SCHEMATHESIS") == "long"
SEED = str(time.time_ns() % 2**32) if IS_LONG else "11"
LONG = ("--max-examples", "100", "--phases", "examples,coverage,fuzzing,stateful")
PEOPLE = {
    "lars": (("lead", "admin"), LONG if IS_LONG else ("--max-examples", "3", "--phases", "examples,fuzzing,stateful")),
    "rita": (("reporter",), LONG if IS_LONG else ("--max-examples", "2", "--phases", "fuzzing")),
}
"""With the roles of each, and the bounds of what is called in their name."""
LEFT_OUT = (
    "positive_data_acceptance",  # what no schema says is refused too: exactly one of three, an id that is not there
    "unsupported_method",  # GET /calendars/preview is no such calendar: 404
    "allow_header_conformance",  # of a 405: has a test of its own
)
TICKETS = 20


class Heard:
    """The app, and which operations it answered with a success: a tool that only ever meets 404 proves nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.done: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hear(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400 and "route" in scope:
                self.done.add(scope["route"].name)
            await send(message)

        await self._app(scope, receive, hear)


class Stage(NamedTuple):
    """An API on a port, and what its operations find there."""

    url: str
    heard: Heard
    acme: Merchant
    ids: dict[str, list[str]]


@pytest.fixture(scope="module")
async def stage(quiet: tuple[Isolated, Desk]) -> AsyncIterator[Stage]:
    _, desk = quiet
    port, heard = free_port(), Heard(desk.app)
    server = uvicorn.Server(uvicorn.Config(heard, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())
    acme = await desk.merchant("acme")
    yield Stage(f"http://127.0.0.1:{port}", heard, acme, await _ids(acme))
    server.should_exit = True
    await serving


async def _ids(acme: Merchant) -> dict[str, list[str]]:
    """By the name of the parameter that takes them."""
    calendar = (await acme.adam.post("/calendars", json=CALENDAR)).json()["id"]
    policy = {"name": "Desk", "calendarId": calendar, "targets": {"high": {"resolutionSeconds": 60}}}
    return {
        "ticket_id": [(await acme.open())["id"] for _ in range(TICKETS)],
        "merchant_id": [str(acme.id)],
        "agent_id": [str(agent_id) for agent_id in acme.agents.values()],
        "calendar_id": [calendar],
        "policy_id": [(await acme.adam.post("/sla-policies", json=policy)).json()["id"]],
        "ladder_id": [(await acme.adam.post("/escalation-ladders", json=LADDER)).json()["id"]],
        "job_id": [(await acme.adam.post("/sla/checks")).json()["id"]],
        "version": ["1"],
    }


@pytest.mark.timeout(3600 if IS_LONG else 300)
@pytest.mark.parametrize("sub", PEOPLE)
async def test_no_response_is_one_that_the_document_does_not_know(sub: str, stage: Stage, tmp_path: Path) -> None:
    roles, bounds = PEOPLE[sub]
    status, said = await _run(stage, stage.acme.client(sub, *roles), bounds, tmp_path)
    assert status == 0, said
    if sub == "lars":
        assert len(stage.heard.done) > len(routes()) * 2 / 3, "most operations have succeeded at least once"


async def _run(stage: Stage, person: httpx.AsyncClient, bounds: tuple[str, ...], folder: Path) -> tuple[int | None, str]:
    """The tool's exit status, and what it said."""
    (folder / "schemathesis.toml").write_text(_settings(stage, person))
    quietly = ("--no-color", "--continue-on-failure", "--no-shrink", "--warnings", "off", "--generation-database", "none")
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{stage.url}/openapi.json", "--seed", SEED, "--exclude-checks", ",".join(LEFT_OUT), *bounds, *quietly),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    return run.returncode, said.decode()


def _settings(stage: Stage, person: httpx.AsyncClient) -> str:
    """TOML takes a JSON value as it is.

    A bad X-Request-Id is replaced and not refused, which the tool would not believe; with any If-Match but one it would only meet 412.
    """
    lists = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in stage.ids.items()]
    bound = [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.9 }}' for name in stage.ids]
    return "\n".join(
        [
            f"headers = {{ Authorization = {json.dumps(person.headers['Authorization'])} }}",
            *lists,
            "[parameters]",
            '"header.X-Request-Id" = "schemathesis"',
            '"header.If-Match" = "*"',
            f'"header.X-Merchant-Id" = "{stage.acme.id}"',
            *bound,
            "[checks.negative_data_rejection]",
            'expected-statuses = ["4xx", "5xx"]',
            "[checks.missing_required_header]",
            'expected-statuses = ["4xx"]',
        ]
    )
