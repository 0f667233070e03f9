"""Start a child process that does not outlive us, end it within a bound, and recognise one that an earlier run left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

_TETHER = Path(__file__).with_name("tether.py")
_PAUSE = 0.02

# The parent-death signal of Linux fires when the *thread* that started the child ends. This one ends with the interpreter.
_launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


class ChildFailedError(Exception):
    """A child process ended, or did not do in time what was waited for. The message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that a child runs under."""

    uid: int = -1
    gid: int = -1


OUR_OWN = Account()
BACKGROUND = 10
"""The niceness of what catches up behind the API: on one machine, whoever waits for an answer goes first."""


def launch(  # noqa: PLR0913 - each says another thing about the child
    command: Sequence[str | Path],
    *,
    log: Path,
    account: Account = OUR_OWN,
    niceness: int = 0,
    death_signal: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` (its program as an absolute path) in a process group of its own, so that a terminal's Ctrl-C reaches only us.

    Not in a session of its own: Linux shares the processors out by sessions, and niceness counts only within one.
    """
    words = (os.getpid(), int(death_signal), account.uid, account.gid, niceness)
    tether = [sys.executable, "-I", "-S", str(_TETHER), *map(str, words)]
    with log.open("ab") as sink:
        start = _launcher.submit(
            subprocess.Popen,
            [*tether, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            process_group=0,
        )
        return start.result()


def wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes], *, log: Path, seconds: float) -> None:
    """Wait until ``answers()`` is true; raise ChildFailedError when the process ends before, or after ``seconds``."""
    patience = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None:
            raise ChildFailedError(f"{log.stem} ended with code {process.returncode}:\n{tail(log)}")
        if time.monotonic() > patience:
            raise ChildFailedError(f"{log.stem} did not answer within {seconds:g} s:\n{tail(log)}")
        time.sleep(_PAUSE)


def end(process: subprocess.Popen[bytes], *, by: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """Ask a child to end; kill it when it has not done so after ``seconds``."""
    if process.poll() is None:
        process.send_signal(by)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(seconds)


def end_stray(pid: int, *, called: Callable[[psutil.Process], bool], by: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """End what an earlier run left behind, if process ``pid`` is still the one that ``called`` recognises; else do nothing."""
    try:
        stray = psutil.Process(pid)
        if not called(stray):
            return
        stray.send_signal(by)
        stray.wait(seconds)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        stray.kill()
        stray.wait(seconds)


def tail(log: Path, lines: int = 12) -> str:
    """Return the last ``lines`` lines of a log file."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
