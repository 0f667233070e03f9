"""Several processes of one part on one port: a parent that starts them, starts one that died again, and passes the signal to end on.

They are forks of a parent that has imported everything and opened nothing but the port, so a further one costs neither the time nor most
of the memory of a start. All accept from the same socket: whichever is free takes the next connection, and a dead one takes none with it.
"""

import gc
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import structlog

from models.platform import logging as logs
from models.platform.settings import Settings

PORTS_APART = 10
"""Each process measures for itself: the second's metrics are found so many ports above the first's, and so on."""
MOST_DEATHS, WITHIN_SECONDS = 5, 60.0
"""More than that is no accident: the parent ends with an error, and what started it decides."""
AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""For what each process has under way, which it bounds itself; then it is killed."""
_BACKLOG = 2048
_ENDS = frozenset({signal.SIGTERM, signal.SIGINT})
_WATCHED = _ENDS | {signal.SIGCHLD}
Part = Callable[[Settings, socket.socket | None], None]
log = structlog.get_logger()


def play(part: Part, settings: Settings, *, processes: int, port: int) -> int:
    """Play ``part`` in so many processes that share ``port``, until SIGTERM or SIGINT; return the exit code.

    One process is this one, and opens the port itself.
    """
    if processes == 1:
        part(settings, None)
        return 0
    logs.configure(settings.log_level)
    gc.collect()
    gc.freeze()  # what stands is not looked through again, so it stays shared
    host = settings.http_host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listener:
        return _Parent(part, settings, listener).watch(processes)


class _Parent:
    def __init__(self, part: Part, settings: Settings, listener: socket.socket) -> None:
        self._part, self._settings, self._listener = part, settings, listener
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)  # they are waited for: none interrupts
        self._children: dict[int, BaseProcess] = {}
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._end_of_parent, self._held_by_parent = os.pipe()

    def watch(self, processes: int) -> int:
        for number in range(processes):
            self._start(number)
        while signal.sigwait(_WATCHED) == signal.SIGCHLD:
            for number in [number for number, child in self._children.items() if not child.is_alive()]:
                if not self._may_start_again(number):
                    self._end()
                    return 1
                self._start(number)
        return 0 if self._end() else 1

    def _start(self, number: int) -> None:
        child = multiprocessing.get_context("fork").Process(target=self._live, args=(number,))
        child.start()
        self._children[number] = child

    def _live(self, number: int) -> None:
        """In the child: it ends also when the parent is killed."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until the part has its own
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
        os.close(self._held_by_parent)
        threading.Thread(target=self._end_after_parent, daemon=True).start()
        self._part(settings_of(self._settings, number), self._listener)

    def _end_after_parent(self) -> None:
        """Multiprocessing's own sign of it is held by each later child, too: they would end one after the other, the last one first."""
        os.read(self._end_of_parent, 1)
        signal.raise_signal(signal.SIGTERM)

    def _may_start_again(self, number: int) -> bool:
        log.error("process.died", number=number, exit_code=self._children[number].exitcode, again_in_seconds=AGAIN_SECONDS)
        now = time.monotonic()
        if len(self._deaths) == MOST_DEATHS and now - self._deaths[0] < WITHIN_SECONDS:
            log.error("process.gave_up", deaths=MOST_DEATHS + 1, within_seconds=WITHIN_SECONDS)
            return False
        self._deaths.append(now)
        time.sleep(AGAIN_SECONDS)
        return True

    def _end(self) -> bool:
        """Whether all of them ended well. From now on only they hold the port: it is closed when the last of them closes it."""
        self._listener.close()
        until = time.monotonic() + PATIENCE_SECONDS
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            child.join(max(until - time.monotonic(), 0))
            child.kill()
            child.join()
        return all(child.exitcode in (0, -signal.SIGTERM) for child in self._children.values())


def settings_of(settings: Settings, number: int) -> Settings:
    """Those of the ``number``-th process, from 0 on: its metrics are on ports of its own. Port 0 stays any free one."""
    ports = {name: getattr(settings, name) for name in ("http_metrics_port", "worker_metrics_port", "temporal_metrics_port")}
    return settings.model_copy(update={name: port and port + PORTS_APART * number for name, port in ports.items()})
