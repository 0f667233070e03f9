"""The demo world on a stage, and what its people do there."""

import os
import subprocess
import sys
from typing import Any

import httpx

from deploy.local.seed import DEMO, OTHER
from models.people.roles import Role
from tests.rehearsals.stage import Stage, until
from tests.support.isolated import ROOT

MERCHANT, SLUG = str(DEMO.merchant_id), "demo"
OTHERS = str(OTHER.merchant_id)


def seed(stage: Stage) -> None:
    environment = {**stage.environment, "LOCAL_VAR": str(stage.folder), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local.seed"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def lead(stage: Stage) -> httpx.Client:
    return stage.client("demo-lars", MERCHANT, Role.LEAD)


def opened(stage: Stage, category: str = "general", *, count: int = 1) -> list[str]:
    """The ids of ``count`` new tickets of Rita, who is written to."""
    with stage.client("demo-rita", MERCHANT, Role.REPORTER) as rita:
        ids = [_open(rita, {"subject": "Till", "description": "It does not open.", "category": category}) for _ in range(count)]
    stage.newest_ticket = ids[-1]
    return ids


def _open(rita: httpx.Client, body: dict[str, Any]) -> str:
    response = rita.post("/tickets", json=body)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def ticket(stage: Stage, ticket_id: str) -> dict[str, Any]:
    with lead(stage) as lars:
        response = lars.get(f"/tickets/{ticket_id}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def until_assigned(stage: Stage, ticket_id: str) -> None:
    until(lambda: ticket(stage, ticket_id)["assigneeId"], bool)
