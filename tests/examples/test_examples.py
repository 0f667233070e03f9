"""The examples and the command line, run against the whole local system as a newcomer runs them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.isolated import ROOT
from tests.support.local_system import environment_of, running, started

SECONDS = 90


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_of(tmp_path)


def printed_by(example: subprocess.Popen[str]) -> str:
    """All that an example says; it has to end well."""
    said, _ = example.communicate(timeout=SECONDS)
    assert example.returncode == 0, said
    return said


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_examples_run_on_a_fresh_system_and_the_walk_runs_again(environment: dict[str, str]) -> None:
    """One test, because the system takes longer to start than the examples to run: both walks pass while the demo plays."""
    with running(environment, seconds=SECONDS), started("examples.demo", environment) as demo:
        walks = []
        for _ in range(2):
            with started("examples.sla_walk", environment) as walk:
                walks.append(printed_by(walk))
        played = printed_by(demo)
        check_command_line(environment)
    check_ladder(played)
    check_end_of_life(played)
    check_links(played, environment)
    check_walk(walks[0])
    assert without_what_differs(walks[0]) == without_what_differs(walks[1])


def check_command_line(environment: dict[str, str]) -> None:
    """Without any setting it finds the system, gets a token, and reads its database and Temporal."""
    assert told(environment, "sla", "check", "--all", "--watch")["done"] >= 2
    assert told(environment, "reconcile")["stuck"] == 0
    assert isinstance(told(environment, "outbox"), list)


def told(environment: dict[str, str], *words: str) -> Any:
    command = [sys.executable, "-m", "deploy.cli", *words, "--json"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def check_ladder(demo: str) -> None:
    assert re.findall(r"level \d for \w+", demo) == ["level 1 for resolution", "level 2 for resolution", "level 3 for resolution"]
    assert re.search(r"level 1 for resolution: (Ana|Leo) Agent keeps the ticket", demo)
    assert re.search(r"level 2 for resolution: from (Ana|Leo) Agent to Sina Senior", demo)
    assert "level 3 for resolution: from Sina Senior to Lars Lead" in demo


def check_end_of_life(demo: str) -> None:
    verbs = re.findall(r"(?<= s  )(?:ticket|survey)\.(\w+)", demo)
    assert verbs == ["opened", "assigned", "replied", "resolved", "sent", "answered", "closed"]
    for subject in ("We have your request", "Assigned to you", "Escalated to level 3", "Resolved", "How did we do?"):
        assert subject in demo


def check_links(demo: str, environment: dict[str, str]) -> None:
    assert f"{environment['HELPDESK_URL']}/docs" in demo
    assert re.search(rf":{environment['LOCAL_TEMPORAL_UI_PORT']}/namespaces/default/workflows/ticket-\d+\n", demo)


def check_walk(walk: str) -> None:
    assert "version 1: four hours of business time from Thu 24 Dec 16:00 end on Fri 25 Dec 11:00" in walk
    assert "version 2: four hours of business time from Thu 24 Dec 16:00 end on Mon 28 Dec 11:00" in walk
    assert "target 4 h, due on Mon 02 Mar 16:00" in walk
    assert "1 of 1 tickets would be timed anew, 0 of them would be overdue at once" in walk
    assert "1 ticket changed, 0 overdue, 0 failed" in walk
    assert re.search(r"resolution +achieved +target 2 h by version 2", walk)
    assert re.search(r"resolution +met 1, breached 0", walk)


def without_what_differs(walk: str) -> str:
    """The organizer is new in each run, and the tickets of two runs may be due in different minutes."""
    return re.sub(r"organizer \d+|, due on \w+ \d+ \w+ [\d:]+", "", walk)


@pytest.mark.parametrize("example", ["examples.demo", "examples.sla_walk"])
def test_an_example_without_a_system_says_what_to_do(example: str, environment: dict[str, str]) -> None:
    with started(example, environment) as ended:
        said, _ = ended.communicate(timeout=SECONDS)
    assert ended.returncode == 1
    assert re.fullmatch(r"Nothing answers at \S+\. Run `make up` in another terminal first\.\n", said)
