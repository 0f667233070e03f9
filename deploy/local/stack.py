"""RUN_MODE=local: the whole system on one machine, started in order, watched, and stopped in the opposite order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import NoReturn

from deploy.local.console import ErrorsOf, greet, say
from deploy.local.layout import CannotStartError, Layout, check_ports, owning, read_layout
from deploy.local.mail import MailCatcher
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.processes import BACKGROUND, ChildFailedError, end, launch, tail, wait_until
from deploy.local.refusal import refuse_production
from deploy.local.temporal import TemporalServer, answers

FAIR = {"matching.enableFairness": "true"}
"""Turns between merchants are off unless the server is told."""
FRUGAL = {"shared_buffers": "48MB"}
"""PostgreSQL's own cache, of 128 MB by default: what is not in it is in the machine's. See docs/benchmarks.md."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MODULES = {"prepare": "deploy.local.seed", "worker": "deploy", "api": "deploy.local.api"}
_SAID = {"prepare": "bringing the schema and the demo world up to date"}
_GLANCE = 0.3  # seconds between two looks at the children


def run() -> int:
    """Run until asked to stop (0), until a part ends or does not start (1), or not at all (2). Returns the exit code."""
    try:
        refuse_production(os.environ)
        layout = read_layout()
        with owning(layout.var):
            check_ports(layout)
            return _run(layout)
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 2


def _run(layout: Layout) -> int:
    for each in _SIGNALS:
        signal.signal(each, _stop)
    try:
        with ExitStack() as started:
            _start_and_watch(layout, started)
    except KeyboardInterrupt:
        say("stopped; the next `make up` goes on from here")
        return 0
    except ChildFailedError as error:
        print(f"\n{error}\nthe local system was stopped; its logs are in {layout.var / 'log'}", file=sys.stderr)
        return 1


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # it stops already, and every wait in it is bounded
    print(flush=True)
    raise KeyboardInterrupt


def _start_and_watch(layout: Layout, started: ExitStack) -> NoReturn:
    _turn_logs(layout)
    postgres = _start_postgres(layout, started)
    environment = layout.environment(postgres)
    preparing = _start(layout, "prepare", environment, started)  # beside what follows: a start is mostly imports
    temporal = _start_temporal(layout, started)
    mail = MailCatcher(layout.mail, layout.smtp_port)
    started.callback(mail.stop)
    mail.start()
    wait_until(lambda: preparing.poll() is not None, preparing, log=layout.log("prepare"), seconds=120)
    if preparing.returncode:
        raise ChildFailedError(f"the migration failed:\n{tail(layout.log('prepare'))}")
    processes = {name: _start(layout, name, environment, started) for name in layout.processes}
    for name, process in reversed(processes.items()):
        probe = f"http://127.0.0.1:{layout.processes[name]}/healthz"
        wait_until(lambda probe=probe: answers(probe), process, log=layout.log(name), seconds=30)  # type: ignore[misc]
    greet(layout)
    lives = {name: lambda process=process: process.poll() is None for name, process in processes.items()}
    _watch(layout, {"postgres": postgres.running, "temporal": temporal.running, **lives})


def _turn_logs(layout: Layout) -> None:
    layout.log("any").parent.mkdir(parents=True, exist_ok=True)
    for name in ("postgres", "temporal", "prepare", *layout.processes):
        if (log := layout.log(name)).exists():
            log.rename(log.with_suffix(".previous.log"))
        log.touch()


def _start_postgres(layout: Layout, started: ExitStack) -> EmbeddedPostgres:
    say("starting PostgreSQL")
    postgres = EmbeddedPostgres(layout.var / "postgres", settings=FRUGAL, log=layout.log("postgres"))
    started.callback(postgres.stop)
    postgres.start()
    return postgres


def _start_temporal(layout: Layout, started: ExitStack) -> TemporalServer:
    from models.tickets.search_attributes import TYPES  # noqa: PLC0415 - half a second of imports, while the schema is prepared

    say("starting Temporal")
    place, log = layout.var / "temporal", layout.log("temporal")
    ports = layout.temporal_port, layout.temporal_ui_port
    temporal = TemporalServer(place, *ports, search_attributes=TYPES, dynamic_config=FAIR, niceness=BACKGROUND, log=log)
    started.callback(temporal.stop)
    temporal.start()
    return temporal


def _start(layout: Layout, name: str, environment: dict[str, str], started: ExitStack) -> subprocess.Popen[bytes]:
    say(_SAID.get(name, f"starting the {name}"))
    mode, niceness = ("worker", BACKGROUND) if name == "worker" else ("local", 0)
    command, environment = [sys.executable, "-m", _MODULES[name]], {**environment, "RUN_MODE": mode}
    process = launch(command, log=layout.log(name), environment=environment, niceness=niceness)
    started.callback(end, process, seconds=20)
    return process


def _watch(layout: Layout, parts: dict[str, Callable[[], bool]]) -> NoReturn:
    errors = [ErrorsOf(name, layout.log(name)) for name in layout.processes]
    while True:
        time.sleep(_GLANCE)
        for each in errors:
            each.show()
        for name in (name for name, lives in parts.items() if not lives()):
            raise ChildFailedError(f"the {name} process ended by itself:\n{tail(layout.log(name))}")
