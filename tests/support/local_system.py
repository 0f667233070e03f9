"""The whole local system as a newcomer runs it: started, greeted by it, and ended by Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.temporal import free_port

PORTS = (
    "APP_ENV_HTTP_PORT",
    "APP_ENV_WORKER_PORT",
    "APP_ENV_HTTP_METRICS_PORT",
    "APP_ENV_WORKER_METRICS_PORT",
    "APP_ENV_TEMPORAL_METRICS_PORT",
    "LOCAL_TEMPORAL_PORT",
    "LOCAL_TEMPORAL_UI_PORT",
    "LOCAL_SMTP_PORT",
)
_OURS = ("APP_ENV_", "LOCAL_", "HELPDESK_")


def free_ports() -> dict[str, int]:
    """No two are the same."""
    ports = set[int]()
    while len(ports) < len(PORTS):
        ports.add(free_port())
    return dict(zip(PORTS, ports, strict=True))


def environment_of(folder: Path) -> dict[str, str]:
    """Free ports and an empty folder, for the system and for what looks for it; of our own variables nothing else."""
    ports = {name: str(port) for name, port in free_ports().items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | ports | {"LOCAL_VAR": str(folder / "var"), "HELPDESK_URL": f"http://127.0.0.1:{ports['APP_ENV_HTTP_PORT']}"}


@contextmanager
def started(module: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A module in a session of its own, as in another terminal, so that its background is its own; it is gone at the end."""
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def running(environment: dict[str, str], *, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """The system from its greeting on. At the end Ctrl-C has to end it well, within ``seconds``."""
    with started("deploy", environment | {"RUN_MODE": "local"}) as stack:
        assert stack.stdout is not None
        said = []
        for line in stack.stdout:
            said.append(line)
            if "Ctrl-C stops everything" in line:
                break
        assert stack.poll() is None, "".join(said)
        yield stack
        stack.send_signal(signal.SIGINT)
        assert stack.wait(seconds) == 0
