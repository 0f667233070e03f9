"""The worker of the measured system, or an API beside it, that the benchmark may stop and start again: an outage, a release."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.local.processes import BACKGROUND, end, launch, wait_until
from deploy.local.temporal import answers

ROOT = Path(__file__).parents[2]
_A_BOOT = 90  # seconds, on a busy machine


class RestartableProcess:
    """``environment`` is that of the API that found the database and Temporal; ``port`` answers for the process, at ``probe``."""

    def __init__(self, environment: Mapping[str, str], port: int, log: Path, *, probe: str = "healthz") -> None:
        self._environment = environment
        self._probe, self._log = f"http://127.0.0.1:{port}/{probe}", log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> psutil.Process:
        if self._process is None:
            raise RuntimeError("the process is stopped")
        return psutil.Process(self._process.pid)

    def start(self) -> float:
        """Start it and wait until it works; the Unix time at which it was launched.

        Raises:
            ChildFailedError: it does not start.
        """
        launched_at = time.time()
        self._process = launch(
            [sys.executable, "-m", "deploy"], log=self._log, environment=self._environment, niceness=BACKGROUND, cwd=ROOT
        )
        wait_until(lambda: answers(self._probe), self._process, log=self._log, seconds=_A_BOOT)
        return launched_at

    def stop(self) -> None:
        """In good order, as a deployment would: what is under way ends first."""
        if self._process is not None:
            end(self._process, seconds=30)
            self._process = None
