"""The system that is measured: what ``make up`` starts, as processes of their own, in a folder and on ports of this run alone."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.postgres import SUPERUSER, EmbeddedPostgres
from deploy.local.processes import BACKGROUND, end, launch, wait_until
from deploy.local.temporal import answers
from models.platform.settings import PREFIX
from tests.bench.restartable import RestartableProcess
from tests.support.local_system import free_ports

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class System:
    """``parts`` are the processes by name, without the worker, which may stop; ``var`` is their folder."""

    var: Path
    ports: Mapping[str, int]
    postgres: EmbeddedPostgres
    parts: Mapping[str, psutil.Process]
    worker: RestartableProcess

    @property
    def processes(self) -> dict[str, psutil.Process]:
        return {**self.parts, "worker": self.worker.process}

    @property
    def http_port(self) -> int:
        return self.ports["APP_ENV_HTTP_PORT"]

    @property
    def temporal_address(self) -> str:
        return f"127.0.0.1:{self.ports['LOCAL_TEMPORAL_PORT']}"

    @property
    def notes(self) -> Path:
        """Where the bare worker notes what it did, and when."""
        return self.var / "bare"

    def superuser_url(self, database: str = "helpdesk") -> str:
        return self.postgres.url(SUPERUSER, database)

    def resident_megabytes(self, name: str) -> float:
        return float(self.processes[name].memory_info().rss) / 1e6

    def cpu_seconds(self) -> dict[str, float]:
        """What each part, this client and all of the machine have used of the processors so far."""
        used = {name: sum(_alone(each) for each in _family(name, process)) for name, process in self.processes.items()}
        times = psutil.cpu_times()
        busy = times.user + times.nice + times.system + times.irq + times.softirq
        return used | {"this client": _alone(psutil.Process()), "the whole machine": busy}

    def pss(self) -> dict[str, float]:
        """Megabytes of each part with the processes that it began; what several share counts once."""
        return {name: sum(_pss(each) for each in _family(name, process)) / 1e6 for name, process in self.processes.items()}


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """Start everything, and stop it at the end by the process that started it.

    Raises:
        ChildFailedError: a part does not start; the message holds the end of its log.
    """
    var, ports = folder / "var", free_ports()
    postgres = _prepared_postgres(var)
    said = folder / "stack.log"
    stack = launch([sys.executable, "-m", "deploy"], log=said, environment=_environment(var, ports), cwd=ROOT)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{ports['APP_ENV_HTTP_PORT']}/healthz"), stack, log=said, seconds=90)
        parts = _processes(stack)
        with _working(
            RestartableProcess(
                {**parts["api"].environ(), "RUN_MODE": "worker"}, ports["APP_ENV_WORKER_PORT"], var / "log" / "worker.log", probe="readyz"
            )
        ) as worker:
            yield System(var, ports, postgres, parts, worker)
    finally:
        end(stack, seconds=60)


@contextmanager
def _working(worker: RestartableProcess) -> Iterator[RestartableProcess]:
    try:
        worker.start()
        yield worker
    finally:
        worker.stop()


@contextmanager
def bare_worker(system: System) -> Iterator[None]:
    """A worker process of the bare workflows, on the same Temporal server."""
    command = [sys.executable, "-m", "tests.bench.bare_worker", system.temporal_address, str(system.notes)]
    worker = launch(command, log=system.var.parent / "bare.log", niceness=BACKGROUND, cwd=ROOT)
    try:
        yield
    finally:
        end(worker, seconds=20)


def _prepared_postgres(var: Path) -> EmbeddedPostgres:
    """The database of the local system, as durable as it is there, that also keeps each transaction's instant of commit."""
    (var / "log").mkdir(parents=True)
    postgres = EmbeddedPostgres(var / "postgres", log=var / "log" / "postgres.log")
    postgres.start()
    try:
        postgres.psql("ALTER SYSTEM SET track_commit_timestamp = on")
    finally:
        postgres.stop()
    return postgres


def _environment(var: Path, ports: Mapping[str, int]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "LOCAL_"))}
    numbers = {name: str(port) for name, port in ports.items()}
    # A storm's e-mails go to few addresses, and each is counted; one agent replies faster than any person.
    unlimited = {f"{PREFIX}{name}": "100000" for name in ("MAIL_HOURLY_LIMIT", "RATE_LIMIT_PER_SECOND", "RATE_LIMIT_BURST")}
    return ours | numbers | unlimited | {"RUN_MODE": "local", "LOCAL_VAR": str(var), "LOCAL_WORKER": "0"}


def _processes(stack: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
    supervisor = psutil.Process(stack.pid)
    children = {" ".join(child.cmdline()): child for child in supervisor.children()}
    marks = {"postgres": "bin/postgres -D", "temporal": "start-dev", "api": "deploy.local.api"}
    found = {name: next(child for line, child in children.items() if mark in line) for name, mark in marks.items()}
    return found | {"mail catcher": supervisor}


def _family(name: str, process: psutil.Process) -> list[psutil.Process]:
    # The mail catcher lives in the process whose children are all the other parts.
    return [process] if name == "mail catcher" else [process, *process.children(recursive=True)]


def _alone(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
