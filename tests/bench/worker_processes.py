"""The workers of the measured system, as processes that the benchmark may stop and start again: the rehearsal of an outage."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.local.layout import WORKERS, environment_of_worker
from deploy.local.processes import BACKGROUND, end, launch, wait_until
from deploy.local.temporal import answers

ROOT = Path(__file__).parents[2]
_A_BOOT = 90  # seconds, on a busy machine


class WorkerProcesses:
    """``environment`` is the API's, that found the same database and Temporal; ``ports`` has the probe port of each process by its name."""

    def __init__(self, environment: Mapping[str, str], ports: Mapping[str, int], logs: Path) -> None:
        self._environment, self._ports, self._logs = environment, ports, logs
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def processes(self) -> dict[str, psutil.Process]:
        return {name: psutil.Process(process.pid) for name, process in self._started.items()}

    def start(self) -> float:
        """Start them and wait until they work; the Unix time at which the first was launched.

        Raises:
            ChildFailedError: one does not start.
        """
        launched_at = time.time()
        for name in WORKERS:
            self._started[name] = self._launch(name)
        for name, process in self._started.items():
            probe = f"http://127.0.0.1:{self._ports[name]}/healthz"
            wait_until(lambda probe=probe: answers(probe), process, log=self._log(name), seconds=_A_BOOT)  # type: ignore[misc]
        return launched_at

    def stop(self) -> None:
        """In good order, as a deployment would: what is under way ends first."""
        for process in self._started.values():
            process.terminate()
        for process in self._started.values():
            end(process, seconds=30)
        self._started.clear()

    def _launch(self, name: str) -> subprocess.Popen[bytes]:
        environment = {**self._environment, **environment_of_worker(name, self._ports[name])}
        return launch([sys.executable, "-m", "deploy"], log=self._log(name), environment=environment, niceness=BACKGROUND, cwd=ROOT)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"
