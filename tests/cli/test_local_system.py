"""The command line beside `make up`: without any setting it finds the system, gets a token, and reads its database and Temporal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.isolated import ROOT
from tests.support.local_system import environment_of, running


def said(environment: dict[str, str], *words: str) -> Any:
    command = [sys.executable, "-m", "deploy.cli", *words, "--json"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_an_operators_first_minutes(tmp_path: Path) -> None:
    environment = environment_of(tmp_path)
    with running(environment, seconds=30):
        assert said(environment, "sla", "check", "--all", "--watch")["done"] >= 2
        assert said(environment, "reconcile")["stuck"] == 0
        assert isinstance(said(environment, "outbox"), list)
