"""The whole system for a rehearsal, from nothing: the parts of deploy/compose.yaml without containers, each to be ended and started again.

Only its pace is another: e-mails are tried again after a twentieth of a second, and Prometheus has the rules of :mod:`hurry`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from deploy.local.identity import DevelopmentIdentity, Wanted
from deploy.local.mail import CaughtMail, MailCatcher, received
from deploy.local.postgres import EmbeddedPostgres, _binary
from deploy.local.temporal import TemporalServer, free_port, temporal_binary
from models.people.roles import Role
from tests.rehearsals.parts import KeyServer, Process, Prometheus, ours
from tests.support.isolated import ROOT
from tests.support.local_system import environment_of

BASE = "/v1/api/helpdesk"
ISSUER, AUDIENCE = "https://identity.rehearsal", "helpdesk"
ROLES = {"DATABASE_URL": "helpdesk_app", "DATABASE_RELAY_URL": "helpdesk_relay", "DATABASE_OWNER_URL": "helpdesk_owner"}
DEFECTIVE = "tests.rehearsals.defective_worker"
_T = TypeVar("_T")


class Stage:
    """``start()`` starts everything; the parts are its attributes."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.mails = folder / "mail"
        self.postgres = EmbeddedPostgres(folder / "postgres")
        ui_port = free_port()
        self.temporal = TemporalServer(folder / "temporal", free_port(), ui_port, log=folder / "temporal.log")
        self.temporal_ui = f"http://127.0.0.1:{ui_port}"
        self.identity = DevelopmentIdentity(folder / "identity.pem", issuer=ISSUER, audience=AUDIENCE)
        self.strange_identity = DevelopmentIdentity(folder / "stranger.pem", issuer=ISSUER, audience=AUDIENCE)
        """Its key is in no key set."""
        self.keys = KeyServer(free_port(), self.identity.jwks())
        self.newest_ticket = "0"
        """Its id."""
        self._smtp_port = free_port()
        self._mail: MailCatcher | None = None
        self.environment = self._settings() | {f"APP_ENV_{name}": value for name, value in settings.items()}
        self.api = ours(self.environment, folder / "api.log", "startup", self.environment["APP_ENV_HTTP_PORT"])
        self.worker = ours(self.environment, folder / "worker.log", "worker", self.environment["APP_ENV_WORKER_PORT"])
        self.defective_worker = ours(
            self.environment, folder / "defective-worker.log", "worker", self.environment["APP_ENV_WORKER_PORT"], DEFECTIVE
        )
        jobs = {"helpdesk-api": "HTTP_METRICS", "helpdesk-worker": "WORKER_METRICS", "helpdesk-worker-sdk": "TEMPORAL_METRICS"}
        targets = {job: [int(self.environment[f"APP_ENV_{name}_PORT"])] for job, name in jobs.items()}
        self.prometheus = Prometheus(folder / "prometheus", free_port(), targets)

    def _settings(self) -> dict[str, str]:
        said = {
            **{name: self.postgres.url(role) for name, role in ROLES.items()},
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": "default",
            "IDENTITY_JWKS_URL": self.keys.url,
            "IDENTITY_ISSUER": ISSUER,
            "IDENTITY_AUDIENCE": AUDIENCE,
            "SIGNING_KEYS": "a-key-of-this-rehearsal-and-of-nothing-else",
            "PUBLIC_URL": "https://helpdesk.rehearsal",
            "HTTP_HOST": "127.0.0.1",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self._smtp_port),
            "SMTP_SECURITY": "none",
            "MAIL_FROM": "helpdesk@helpdesk.rehearsal",
            "MAIL_RETRY_SECONDS": "0.05",
        }
        return environment_of(self.folder) | {f"APP_ENV_{name}": value for name, value in said.items()}

    def start(self) -> None:
        self.postgres.start()
        self.temporal.start()
        self.start_mail()
        self.keys.start()
        self.said_by_setup = self.run("setup")
        self.api.start()
        self.worker.start()
        self.prometheus.start()
        self._started = time.monotonic()

    def up_for(self, *, seconds: float) -> None:
        """Wait until the system has been watched for so long."""
        time.sleep(max(0, self._started + seconds - time.monotonic()))

    def stop(self) -> None:
        for part in (self.prometheus, self.defective_worker, self.worker, self.api, self.keys, self.temporal, self.postgres):
            part.stop()
        self.stop_mail()

    def move_to(self, postgres: EmbeddedPostgres) -> None:
        """Another server has the database from now on, for all that starts then."""
        self.postgres.stop()
        self.postgres = postgres
        for name, role in ROLES.items():
            self.environment[f"APP_ENV_{name}"] = postgres.url(role)

    def start_mail(self) -> None:
        self._mail = MailCatcher(self.mails, self._smtp_port)
        self._mail.start()

    def stop_mail(self) -> None:
        if self._mail:
            self._mail.stop()
            self._mail = None

    def run(self, mode: str, **settings: str) -> str:
        """Play a one-shot part to its end; what it said."""
        environment = {**self.environment, "RUN_MODE": mode, **settings}
        done = subprocess.run(
            [sys.executable, "-m", "deploy"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def another_worker(self, **settings: str) -> Iterator[Process]:
        """Beside the first; Prometheus does not know of it."""
        names = ("APP_ENV_WORKER_PORT", "APP_ENV_WORKER_METRICS_PORT", "APP_ENV_TEMPORAL_METRICS_PORT")
        own = {name: str(free_port()) for name in names} | settings
        worker = ours(self.environment, self.folder / "another-worker.log", "worker", own["APP_ENV_WORKER_PORT"], **own)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()

    def client(
        self, sub: str, merchant: str, *roles: Role, base: str | None = None, identity: DevelopmentIdentity | None = None
    ) -> httpx.Client:
        """A caller of the API, or of what stands at ``base`` before it."""
        base = base or f"http://127.0.0.1:{self.environment['APP_ENV_HTTP_PORT']}"
        token = self.token(sub, merchant, *roles, identity=identity)
        return httpx.Client(base_url=base + BASE, timeout=30, headers={"Authorization": f"Bearer {token}"})

    def token(self, sub: str, merchant: str, *roles: Role, identity: DevelopmentIdentity | None = None) -> str:
        wanted = Wanted(sub=sub, name=sub, email=f"{sub}@people.rehearsal", merchant_ids=(merchant,), roles=roles)
        return (identity or self.identity).token(wanted)

    def emails(self) -> list[CaughtMail]:
        return received(self.mails)

    def psql_in_the_background(self, statements: str) -> subprocess.Popen[bytes]:
        """A superuser's session, which is gone at the latest with its server."""
        where = ["-h", str(self.postgres.sockets), "-U", "postgres", "-d", "helpdesk"]
        return subprocess.Popen([_binary("psql"), *where, "-c", statements], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def shell(self, script: str, **names: str) -> str:
        """Run what a page has an operator type, with the names of docs/runbooks/README.md; each line, and what it said.

        Raises AssertionError if a word of it is no command, or the shell can't read it. That a command fails is not wrong: it may be what
        is looked for.
        """
        port = {name: f"http://127.0.0.1:{self.environment[f'APP_ENV_{name}_PORT']}" for name in ("HTTP", "WORKER")}
        metrics = {
            name: f"http://127.0.0.1:{self.environment[f'APP_ENV_{name}_METRICS_PORT']}/metrics" for name in ("HTTP", "WORKER", "TEMPORAL")
        }
        known = {
            "PATH": f"{ROOT / 'deploy' / 'cli'}:{_binary('psql').parent}:{temporal_binary().parent}:{os.environ['PATH']}",
            "HELPDESK_TOKEN": self.token("olga", "*", Role.OPERATOR),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": "default",
            "API": port["HTTP"],
            "WORKER": port["WORKER"],
            "API_METRICS": metrics["HTTP"],
            "METRICS": metrics["WORKER"],
            "SDK": metrics["TEMPORAL"],
            "PROMETHEUS": self.prometheus.url,
        }
        file = self.folder / "typed.sh"
        file.write_text(script)
        done = subprocess.run(
            ["/bin/bash", "-v", str(file)],
            cwd=ROOT,
            env=self.environment | known | names,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert "command not found" not in done.stdout, done.stdout
        assert "syntax error" not in done.stdout, done.stdout
        return done.stdout


def until(look: Callable[[], _T], is_so: Callable[[_T], Any], *, seconds: float = 120) -> _T:
    """What ``look`` gives once it is so. Raises AssertionError with the last of it after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not is_so(found := look()):
        assert time.monotonic() < deadline, f"after {seconds:g} s it is still {found}"
        time.sleep(0.1)
    return found


@contextmanager
def on_stage(folder: Path, **settings: str) -> Iterator[Stage]:
    """``settings`` of all processes, by their names without the prefix."""
    with ExitStack() as ending:
        stage = Stage(folder, **settings)
        ending.callback(stage.stop)
        stage.start()
        yield stage
