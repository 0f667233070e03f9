"""Signals and deaths while the parts are not there yet: a worker that waits for Temporal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.__main__ import ENDED
from deploy.local.temporal import free_port
from tests.deploy.test_settings import WHOLE

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


@contextmanager
def waiting_worker(processes: int, **ports: int) -> Iterator[subprocess.Popen[str]]:
    """A worker that has said that it can't reach Temporal, on free ``ports`` but for those that are named."""
    own = {
        "RUN_MODE": "worker",
        "APP_ENV_WORKER_PROCESSES": str(processes),
        "APP_ENV_TEMPORAL_ADDRESS": "127.0.0.1:1",
        **{f"APP_ENV_{name}_PORT": str(ports.get(name, 0)) for name in ("WORKER", "WORKER_METRICS", "TEMPORAL_METRICS")},
    }
    with subprocess.Popen(
        [sys.executable, "-m", "deploy"], env={**os.environ, **WHOLE, **own}, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as worker:
        try:
            line_of(worker, "worker.temporal_unreachable")
            yield worker
        finally:
            worker.kill()


def line_of(worker: subprocess.Popen[str], event: str) -> dict[str, Any]:
    assert worker.stdout is not None
    for line in worker.stdout:
        if event in line:
            return dict(json.loads(line))
    raise AssertionError(f"it ended without {event}")


def test_a_worker_that_waits_for_temporal_ends_when_it_is_told_to_also_as_the_first_process_of_a_container() -> None:
    with waiting_worker(processes=1) as worker:
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == ENDED  # by a handler: the kernel's default does not exist for a first process


def test_a_worker_that_waits_for_temporal_answers_its_probes_and_is_scraped() -> None:
    """Else what watches it would kill it again and again, and nobody would see why."""
    ports = {"WORKER": free_port(), "WORKER_METRICS": free_port()}
    with waiting_worker(1, **ports):
        alive, ready = (httpx.get(f"http://127.0.0.1:{ports['WORKER']}/{probe}", timeout=30) for probe in ("healthz", "readyz"))
        assert (alive.status_code, ready.status_code, ready.json()) == (200, 503, {"status": "Temporal is unreachable"})
        scraped = httpx.get(f"http://127.0.0.1:{ports['WORKER_METRICS']}/metrics", timeout=30).text
        assert "helpdesk_temporal_up 0.0" in scraped.splitlines()


def test_several_that_wait_end_well_when_their_parent_is_told_to() -> None:
    with waiting_worker(processes=2) as worker:
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0


def test_a_death_is_told_in_a_line_as_all_others() -> None:
    with waiting_worker(processes=2) as worker:
        psutil.Process(worker.pid).children()[0].kill()
        died = line_of(worker, "process.died")
        assert (died["level"], died["number"], died["exit_code"]) == ("error", 0, -signal.SIGKILL)
        worker.terminate()
        assert worker.wait(PATIENCE_SECONDS) == 0


def test_none_waits_for_another_to_see_that_their_parent_is_gone() -> None:
    with waiting_worker(processes=2) as worker:
        first, last = psutil.Process(worker.pid).children()
        last.suspend()
        worker.kill()
        try:
            assert first in psutil.wait_procs([first], 30)[0]
        finally:
            last.resume()
        assert last in psutil.wait_procs([last], PATIENCE_SECONDS)[0]
