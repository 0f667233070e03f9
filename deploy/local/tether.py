"""Run a command that ends when the process that asked for it ends, however that one ends (also by ``kill -9``).

    python -I -S tether.py <parent's pid> <signal at its death> <uid or -1> <gid or -1> <niceness> <command> [argument ...]

A program of its own, started between the parent and the command, because ``preexec_fn`` is not safe in a process with threads. It
drops the account first: a change of credentials clears the parent-death signal. Standard library only: it runs without site-packages.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _become(uid: int, gid: int) -> None:
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _die_with(parent: int, death_signal: int) -> None:
    if sys.platform == "linux":  # elsewhere the next start ends what is left over
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")


def main(parent: str, death_signal: str, uid: str, gid: str, niceness: str, *command: str) -> None:
    ctypes.CDLL(None)  # while the interpreter's own files can still be read
    os.nice(int(niceness))
    _become(int(uid), int(gid))
    _die_with(int(parent), int(death_signal))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so across exec
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(*sys.argv[1:])
