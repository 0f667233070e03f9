"""The whole local system, started and stopped as a newcomer does it."""

import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.local_system import environment_of, running

SECONDS = 60


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_of(tmp_path)


def client(environment: dict[str, str]) -> httpx.Client:
    base = f"http://127.0.0.1:{environment['APP_ENV_HTTP_PORT']}"
    wanted = {"sub": "demo-lars", "merchantIds": ["1001"], "roles": ["lead"]}
    token = httpx.post(f"{base}/dev/identity/token", json=wanted, timeout=10).json()["accessToken"]
    return httpx.Client(base_url=f"{base}/v1/api/helpdesk", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def until_level(desk: httpx.Client, ticket: str, level: int) -> dict[str, Any]:
    deadline = time.monotonic() + SECONDS
    while (seen := desk.get(f"/tickets/{ticket}").json())["escalationLevel"] < level:
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return dict(seen)


@pytest.mark.timeout(240)
def test_the_stack_starts_stops_and_goes_on_where_it_was(environment: dict[str, str]) -> None:
    """A ticket that is opened before the stop is escalated after the next start: its timer survived."""
    with running(environment, seconds=SECONDS) as stack:
        children = psutil.Process(stack.pid).children(recursive=True)
        with client(environment) as desk:
            body = {"subject": "Till", "description": "It does not open.", "category": "demo-fast"}
            opened = desk.post("/tickets", json=body)
            assert opened.status_code == 201
            ticket = opened.json()["id"]
    assert children
    assert not psutil.wait_procs(children, timeout=10)[1]

    with running(environment, seconds=SECONDS), client(environment) as desk:
        seen = until_level(desk, ticket, 3)
        rungs = desk.get(f"/tickets/{ticket}/escalations").json()["data"]
    assert seen["slaStatus"] == "breached"
    assert sorted({rung["level"] for rung in rungs}) == sorted(rung["level"] for rung in rungs)
