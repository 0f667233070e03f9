"""Start a child process that does not outlive us, wait until it works, and end it within a bound."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BACKGROUND = 10
"""The niceness of what catches up behind the API: on one machine, a person who waits for a response goes first."""
_PAUSE = 0.02

# The parent-death signal of Linux fires when the *thread* that started the child ends. This one ends with the interpreter.
_launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


class ChildFailedError(Exception):
    """A child process ended, or did not do in time what was waited for. The message holds the end of its log."""


class Server:
    """A child process that may be started and ended again and again."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, by: signal.Signals) -> None:
        if self._process:
            end(self._process, by=by, seconds=15)
            self._process = None


def launch(  # noqa: PLR0913 - each says another thing about the child
    command: Sequence[str | Path],
    *,
    log: Path,
    account: str | None = None,
    niceness: int = 0,
    death_signal: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` under ``account``; ``death_signal`` is what it gets when we die, also of ``kill -9``.

    In a process group of its own, so that a terminal's Ctrl-C reaches only us; but in our session, because Linux shares the processors out
    by sessions, and niceness counts only within one.
    """
    words = [*_tether(death_signal), *(["nice", "-n", str(niceness)] if niceness else []), *map(str, command)]
    with log.open("ab") as sink:
        start = _launcher.submit(
            subprocess.Popen,
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            process_group=0,
            user=account,
            group=pwd.getpwnam(account).pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        return start.result()


def _tether(death_signal: signal.Signals) -> list[str]:
    """The words before a command that bind its life to ours.

    ``setpriv`` (util-linux) asks Linux for the parent-death signal: in Python only ``preexec_fn`` could, which is not safe beside threads.
    The shell sees to it that we did not die before that. On macOS, which has no such signal, the next start names the ports that are taken.
    """
    if sys.platform != "linux" or not (setpriv := shutil.which("setpriv")):
        return []
    return [setpriv, "--pdeathsig", death_signal.name, "sh", "-c", 'test "$PPID" = "$0" && exec "$@"', str(os.getpid())]


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
    process.send_signal(by)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(seconds)


def tail(log: Path, lines: int = 12) -> str:
    """Return the last ``lines`` lines of a log file."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
