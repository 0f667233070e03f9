"""One local system a folder: its lock, and the list of processes to end when its supervisor could not."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local.layout import CannotStartError
from deploy.local.processes import end_stray

_SAME_MOMENT = 0.1  # seconds: how exactly the start of a process identifies it together with its number


@contextmanager
def owning(var: Path) -> Iterator[None]:
    """Hold the folder; raise CannotStartError when a running system holds it. The lock goes with its process, however that ends."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStartError(f"the local system is already running on {var}") from None
        yield


def remember(var: Path, name: str, pid: int) -> None:
    """Note a child that was started."""
    known = _known(var) | {name: [pid, psutil.Process(pid).create_time()]}
    half = var / ".processes.json"
    half.write_text(json.dumps(known))
    half.rename(var / "processes.json")


def end_leftovers(var: Path) -> None:
    """End the children of a supervisor that was killed, each only if it is still the same process."""
    for pid, started in reversed(_known(var).values()):

        def is_ours(process: psutil.Process, started: float = started) -> bool:
            return abs(process.create_time() - started) < _SAME_MOMENT

        end_stray(int(pid), called=is_ours)
    (var / "processes.json").unlink(missing_ok=True)


def _known(var: Path) -> dict[str, tuple[int, float]]:
    file = var / "processes.json"
    try:
        return dict(json.loads(file.read_text())) if file.exists() else {}
    except ValueError:
        return {}
