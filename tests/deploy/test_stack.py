"""The whole local system, started and stopped as a newcomer does it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.local.temporal import free_port

SECONDS = 60
PORTS = (
    "APP_ENV_HTTP_PORT",
    "APP_ENV_WORKER_PORT",
    "LOCAL_TEMPORAL_PORT",
    "LOCAL_TEMPORAL_UI_PORT",
    "LOCAL_SMTP_PORT",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    ports = {name: str(free_port()) for name in PORTS}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APP_ENV_", "LOCAL_"))}
    return kept | ports | {"RUN_MODE": "local", "LOCAL_VAR": str(tmp_path / "var")}


@contextmanager
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start the stack, wait until it greets, and end it by Ctrl-C."""
    stack = subprocess.Popen(
        [sys.executable, "-m", "deploy"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # as in a terminal of its own: its background is that of its API, not of the other tests
    )
    try:
        assert stack.stdout is not None
        said = []
        for line in stack.stdout:
            said.append(line)
            if "Ctrl-C stops everything" in line:
                break
        assert stack.poll() is None, "".join(said)
        yield stack
        stack.send_signal(signal.SIGINT)
        assert stack.wait(SECONDS) == 0
    finally:
        if stack.poll() is None:
            stack.kill()
        stack.communicate()


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
    with running(environment) as stack:
        children = psutil.Process(stack.pid).children(recursive=True)
        with client(environment) as desk:
            body = {"subject": "Till", "description": "It does not open.", "category": "demo-fast"}
            opened = desk.post("/tickets", json=body)
            assert opened.status_code == 201
            ticket = opened.json()["id"]
    assert children
    assert not psutil.wait_procs(children, timeout=10)[1]

    with running(environment), client(environment) as desk:
        seen = until_level(desk, ticket, 3)
        rungs = desk.get(f"/tickets/{ticket}/escalations").json()["data"]
    assert seen["slaStatus"] == "breached"
    assert sorted({rung["level"] for rung in rungs}) == sorted(rung["level"] for rung in rungs)
