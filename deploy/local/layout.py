"""Where the local system lives: its folder, its ports, and the settings that its processes are given."""

import fcntl
import os
import secrets
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.identity import keep_secret
from deploy.local.postgres import EmbeddedPostgres
from models.platform.settings import PREFIX

AUDIENCE = "helpdesk"
DEMO_MERCHANT = 1001


class CannotStartError(Exception):
    """The local system must not or cannot start here. Nothing has been started."""


def _port(default: int, variable: str, what: str) -> Any:
    return Field(default=default, ge=1, le=65535, validation_alias=variable, description=what)


class Layout(BaseSettings):
    """The choices of ``RUN_MODE=local``, each an environment variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    var: Path = Field(default=Path("var"), validation_alias="LOCAL_VAR")
    http_port: int = _port(3000, "APP_ENV_HTTP_PORT", "the API")
    worker_port: int = _port(3001, "APP_ENV_WORKER_PORT", "the worker's probes")
    http_metrics_port: int = _port(9464, "APP_ENV_HTTP_METRICS_PORT", "the API's metrics")
    worker_metrics_port: int = _port(9465, "APP_ENV_WORKER_METRICS_PORT", "the worker's metrics")
    temporal_metrics_port: int = _port(9466, "APP_ENV_TEMPORAL_METRICS_PORT", "the metrics of Temporal's SDK in the worker")
    temporal_port: int = _port(7233, "LOCAL_TEMPORAL_PORT", "Temporal")
    temporal_ui_port: int = _port(8233, "LOCAL_TEMPORAL_UI_PORT", "the Temporal UI")
    smtp_port: int = _port(2525, "LOCAL_SMTP_PORT", "the mail catcher")
    auto_close_seconds: int = Field(default=7 * 24 * 3600, ge=0, validation_alias="LOCAL_AUTO_CLOSE_SECONDS")
    worker: bool = Field(default=True, validation_alias="LOCAL_WORKER")
    """Without it the worker is started, and stopped, by other means: a debugger, or a rehearsal of an outage."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def issuer(self) -> str:
        return f"{self.base}/dev/identity"

    @property
    def mail(self) -> Path:
        return self.var / "mail"

    @property
    def identity_key(self) -> Path:
        return self.var / "secrets" / "identity.pem"

    @property
    def processes(self) -> dict[str, int]:
        """Those of ours that are started, in this order, with the port that answers for each."""
        worker = {"worker": self.worker_port} if self.worker else {}
        return worker | {"api": self.http_port}

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def environment(self, postgres: EmbeddedPostgres) -> dict[str, str]:
        """Return the environment of the API and the worker: what the caller set, under what makes the parts find each other."""
        settings = {
            "database_url": postgres.url("helpdesk_app"),
            "database_relay_url": postgres.url("helpdesk_relay"),
            "database_owner_url": postgres.url("helpdesk_owner"),
            "temporal_address": f"127.0.0.1:{self.temporal_port}",
            "temporal_ui_url": f"http://127.0.0.1:{self.temporal_ui_port}",
            "identity_jwks_url": f"{self.issuer}/.well-known/jwks.json",
            "identity_issuer": self.issuer,
            "identity_audience": AUDIENCE,
            "signing_keys": _signing_key(self.var / "secrets" / "signing.key"),
            "public_url": self.base,
            "http_host": "127.0.0.1",  # never further: a caller who reaches /dev can be anyone
            "http_port": str(self.http_port),
            "worker_port": str(self.worker_port),
            "http_metrics_port": str(self.http_metrics_port),
            "worker_metrics_port": str(self.worker_metrics_port),
            "temporal_metrics_port": str(self.temporal_metrics_port),
            "smtp_host": "127.0.0.1",
            "smtp_port": str(self.smtp_port),
            "smtp_security": "none",
            "mail_from": "helpdesk@demo.local",
        }
        ours = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
        return {f"{PREFIX}MAIL_RETRY_SECONDS": "2", f"{PREFIX}HTTP_DRAIN_SECONDS": "0", **os.environ, **ours, "LOCAL_VAR": str(self.var)}


def read_layout() -> Layout:
    """Return the layout that the environment describes, its folder absolute; raise CannotStartError with all that is wrong."""
    try:
        layout = Layout()
    except ValidationError as error:
        lines = sorted(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise CannotStartError("the settings are not valid:\n" + "\n".join(lines)) from None
    return layout.model_copy(update={"var": layout.var.absolute()})


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


def check_ports(layout: Layout) -> None:
    """Raise CannotStartError that names every port on which another process listens, or which was given twice."""
    fields = {name: field for name, field in Layout.model_fields.items() if name.endswith("_port")}
    uses = Counter(getattr(layout, name) for name in fields)
    wrong = []
    for name, field in fields.items():
        port = getattr(layout, name)
        if uses[port] > 1 or _is_taken(port):
            why = "given twice" if uses[port] > 1 else "taken"
            wrong.append(f"  port {port} for {field.description} is {why}; free it, or choose another with {field.validation_alias}=...")
    if wrong:
        raise CannotStartError("nothing was started:\n" + "\n".join(wrong))


def _is_taken(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _signing_key(file: Path) -> str:
    if not file.exists():
        keep_secret(file, secrets.token_urlsafe(48).encode())
    return file.read_text()
