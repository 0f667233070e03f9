"""RUN_MODE=local: the whole system on one machine, started in order, watched, and stopped in the opposite order."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from types import FrameType
from typing import NamedTuple, NoReturn

from deploy.local.console import ErrorsOf, greet, say
from deploy.local.layout import WORKERS, CannotStartError, Layout, check_ports, read_layout
from deploy.local.mail import MailCatcher
from deploy.local.ownership import end_leftovers, owning, remember
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.processes import BACKGROUND, ChildFailedError, end, launch, tail, wait_until
from deploy.local.refusal import refuse_production
from deploy.local.temporal import TemporalServer, answers

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GLANCE = 0.3  # seconds between two looks at the children


class _StopRequested(BaseException):
    """Ctrl-C, or a polite signal."""


class _Child(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]


def run() -> int:
    """Run until asked to stop (0), until a part dies or does not start (1), or not at all (2). Returns the exit code."""
    try:
        refuse_production(os.environ)
        layout = read_layout()
        with owning(layout.var):
            end_leftovers(layout.var)
            check_ports(layout)
            return _run(layout)
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 2


def _run(layout: Layout) -> int:
    for each in _SIGNALS:
        signal.signal(each, _ask_to_stop)
    try:
        with ExitStack() as started:
            _start_and_watch(layout, started)
    except _StopRequested:
        say("stopped; the next `make up` goes on from here")
        return 0
    except ChildFailedError as error:
        print(f"\n{error}\nthe local system was stopped; its logs are in {layout.var / 'log'}", file=sys.stderr)
        return 1


def _ask_to_stop(_number: int, _frame: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # it stops already, and every wait in it is bounded
    print(flush=True)
    raise _StopRequested


def _start_and_watch(layout: Layout, started: ExitStack) -> NoReturn:
    _turn_logs(layout)
    postgres = _start_postgres(layout, started)
    environment = layout.environment(postgres)
    preparing = _start_preparing(layout, environment, started)  # beside what follows: a start is mostly imports
    temporal = _start_temporal(layout, started)
    _start_mail(layout, started)
    _finish_preparing(layout, preparing)
    processes = [_start_process(layout, name, environment, started) for name in layout.processes]
    for child in reversed(processes):
        _wait_for(child, layout)
    greet(layout)
    _watch(layout, postgres, temporal, processes)


def _turn_logs(layout: Layout) -> None:
    layout.log("any").parent.mkdir(parents=True, exist_ok=True)
    for name in ("postgres", "temporal", "prepare", *WORKERS, "api"):
        if (log := layout.log(name)).exists():
            log.rename(log.with_suffix(".previous.log"))
        log.touch()


def _start_postgres(layout: Layout, started: ExitStack) -> EmbeddedPostgres:
    say("starting PostgreSQL")
    postgres = EmbeddedPostgres(layout.var / "postgres", log=layout.log("postgres"))
    started.callback(postgres.stop)
    postgres.start()
    return postgres


def _start_preparing(layout: Layout, environment: dict[str, str], started: ExitStack) -> subprocess.Popen[bytes]:
    say("bringing the schema and the demo world up to date")
    process = launch([sys.executable, "-m", "deploy.local.prepare"], log=layout.log("prepare"), environment=environment)
    started.callback(end, process)
    return process


def _start_temporal(layout: Layout, started: ExitStack) -> TemporalServer:
    from models.tickets.search_attributes import TYPES  # noqa: PLC0415 - half a second of imports, while the schema is prepared

    say("starting Temporal")
    place, log = layout.var / "temporal", layout.log("temporal")
    temporal = TemporalServer(place, layout.temporal_port, layout.temporal_ui_port, search_attributes=TYPES, niceness=BACKGROUND, log=log)
    started.callback(temporal.stop)
    temporal.start()
    remember(layout.var, "temporal", temporal.pid or 0)
    return temporal


def _start_mail(layout: Layout, started: ExitStack) -> None:
    catcher = MailCatcher(layout.mail, layout.smtp_port)
    started.callback(catcher.stop)
    catcher.start()


def _finish_preparing(layout: Layout, process: subprocess.Popen[bytes]) -> None:
    try:
        failed = process.wait(120) != 0
    except subprocess.TimeoutExpired:
        failed = True
    if failed:
        raise ChildFailedError(f"the migration failed:\n{tail(layout.log('prepare'))}")


def _start_process(layout: Layout, name: str, environment: dict[str, str], started: ExitStack) -> _Child:
    say(f"starting the {name}")
    module, mode, niceness = ("deploy", "worker", BACKGROUND) if name in WORKERS else ("deploy.local.api", "local", 0)
    environment = {**environment, "RUN_MODE": mode}
    if name in WORKERS:
        environment |= {"APP_ENV_WORKER_QUEUES": WORKERS[name], "APP_ENV_WORKER_PORT": str(layout.processes[name])}
    process = launch([sys.executable, "-m", module], log=layout.log(name), environment=environment, niceness=niceness)
    started.callback(end, process, seconds=20)
    remember(layout.var, name, process.pid)
    return _Child(name, process)


def _wait_for(child: _Child, layout: Layout) -> None:
    probe = f"http://127.0.0.1:{layout.processes[child.name]}/healthz"
    wait_until(lambda: answers(probe), child.process, log=layout.log(child.name), seconds=30)


def _watch(layout: Layout, postgres: EmbeddedPostgres, temporal: TemporalServer, processes: list[_Child]) -> NoReturn:
    errors = [ErrorsOf(child.name, layout.log(child.name)) for child in processes]
    while True:
        time.sleep(_GLANCE)
        for each in errors:
            each.show()
        alive = {"postgres": postgres.running(), "temporal": temporal.running()}
        alive |= {child.name: child.process.poll() is None for child in processes}
        for name in (name for name, lives in alive.items() if not lives):
            raise ChildFailedError(f"the {name} process ended by itself:\n{tail(layout.log(name))}")
