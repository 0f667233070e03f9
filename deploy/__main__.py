"""The one entry point: ``RUN_MODE`` says which part this process plays. Whatever is wrong is said at once, and the process exits with 2."""

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from enum import StrEnum
from socket import socket
from types import FrameType
from typing import Any, NoReturn, TypeVar

import uvloop
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.app_info import APP_INFO
from deploy.leave import leave
from deploy.reach import DatabaseUnreachableError, reaching_database
from deploy.siblings import Part, play
from models.platform.settings import MigrationSettings, Settings, SetupSettings, explain

WRONG = 2
"""Exit code: started wrongly, and starting again will not help."""
ENDED = 128 + signal.SIGTERM
"""Exit code: told to end before there was anything under way that has to end well."""
_S = TypeVar("_S", bound=BaseSettings)


class RunMode(StrEnum):
    STARTUP = "startup"
    WORKER = "worker"
    SETUP = "setup"
    MIGRATE = "migrate"
    RESYNC = "resync"
    LOCAL = "local"


def main() -> None:
    signal.signal(signal.SIGTERM, _end)  # the first process of a container has no default: it would go on until it is killed
    # Each part imports its own world only when it is played: a migration needs no web server.
    parts: dict[RunMode, Callable[[], None]] = {
        RunMode.STARTUP: _serve,
        RunMode.WORKER: _work,
        RunMode.SETUP: _set_up,
        RunMode.MIGRATE: migrate,
        RunMode.RESYNC: _resync,
        RunMode.LOCAL: _local,
    }
    try:
        parts[_run_mode()]()
    except DatabaseUnreachableError as error:
        sys.exit(f"{error}; then start it again")


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(ENDED)


def _end_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """For a worker that waits for Temporal: its probes are served meanwhile, and an exception could end in one of their tasks, unheard."""
    os._exit(ENDED)


def _run_mode() -> RunMode:
    given = os.environ.get("RUN_MODE", "")
    try:
        return RunMode(given)
    except ValueError:
        _refuse(f"RUN_MODE is {given!r}; it must be one of: {', '.join(RunMode)}")


def _serve() -> None:
    settings = _read(Settings)
    with _no_collection():
        from api.main import serve  # noqa: PLC0415

    sys.exit(play(_endless(serve), settings, processes=settings.http_processes, port=settings.http_port))


def _work() -> None:
    settings = _read(Settings)
    with _no_collection():
        from worker import run  # noqa: PLC0415

    signal.signal(signal.SIGTERM, _end_at_once)  # until there is something under way: then the worker has its own
    sys.exit(play(_endless(run), settings, processes=settings.worker_processes, port=settings.worker_port))


def _endless(run: Callable[..., Coroutine[Any, Any, None]]) -> Part:
    def part(settings: Settings, listener: socket | None) -> None:
        _tell_build()
        uvloop.run(run(settings, node=APP_INFO.node, code=APP_INFO.code, listener=listener))

    return part


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """What an import makes stays: to look for garbage in it again and again takes a tenth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _set_up() -> None:
    set_up()
    leave(0)


def set_up() -> None:
    settings = _read(SetupSettings)
    from deploy import setup  # noqa: PLC0415
    from models.db.migrate import UnknownRevisionError  # noqa: PLC0415

    try:
        with reaching_database():
            setup.migrate(settings)
            uvloop.run(setup.run(settings, node=APP_INFO.node))
    except UnknownRevisionError as error:
        _refuse(str(error))
    except setup.SetupError as error:
        sys.exit(str(error))


def _tell_build() -> None:
    from models.platform.metrics import BUILD  # noqa: PLC0415

    BUILD.labels(APP_INFO.code, APP_INFO.node).set(1)


def migrate() -> None:
    settings = _read(MigrationSettings)
    from models.db.migrate import UnknownRevisionError, upgrade  # noqa: PLC0415

    try:
        with reaching_database():
            upgrade(str(settings.database_owner_url))
    except UnknownRevisionError as error:
        _refuse(str(error))


def _resync() -> None:
    settings = _read(Settings)
    from models.outbox.resync import run  # noqa: PLC0415

    with reaching_database():
        done = uvloop.run(run(settings, node=APP_INFO.node))
    leave(1 if done.failed else 0)


def _local() -> None:
    from deploy.local.stack import run  # noqa: PLC0415

    sys.exit(run())


def _read(kind: type[_S]) -> _S:
    try:
        return kind()
    except ValidationError as error:
        _refuse(explain(error))


def _refuse(why: str) -> NoReturn:
    print(why, file=sys.stderr)
    sys.exit(WRONG)


if __name__ == "__main__":
    main()
