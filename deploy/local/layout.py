"""Where the local system lives: its folder, its ports, and the settings that its processes are given."""

import os
import secrets
import socket
from collections import Counter
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.identity import keep_secret
from deploy.local.postgres import EmbeddedPostgres
from models.platform.settings import PREFIX

AUDIENCE = "helpdesk"
WORKERS = {"worker": "tickets,maintenance", "notifier": "notifications"}
"""Two worker processes by the queues they serve: on two cores the system's scheduler shares out the time better than one event loop."""
_PORTS = {
    "http_port": ("the API", "APP_ENV_HTTP_PORT"),
    "worker_port": ("the worker's probes", "APP_ENV_WORKER_PORT"),
    "notifier_port": ("the notifier's probes", "LOCAL_NOTIFIER_PORT"),
    "temporal_port": ("Temporal", "LOCAL_TEMPORAL_PORT"),
    "temporal_ui_port": ("the Temporal UI", "LOCAL_TEMPORAL_UI_PORT"),
    "smtp_port": ("the mail catcher", "LOCAL_SMTP_PORT"),
}


class CannotStartError(Exception):
    """The local system must not or cannot start here. Nothing has been started."""


class Layout(BaseSettings):
    """The choices of ``RUN_MODE=local``, each an environment variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    var: Path = Field(default=Path("var"), validation_alias="LOCAL_VAR")
    http_port: int = Field(default=3000, ge=1, le=65535, validation_alias="APP_ENV_HTTP_PORT")
    worker_port: int = Field(default=3001, ge=1, le=65535, validation_alias="APP_ENV_WORKER_PORT")
    notifier_port: int = Field(default=3002, ge=1, le=65535, validation_alias="LOCAL_NOTIFIER_PORT")
    temporal_port: int = Field(default=7233, ge=1, le=65535, validation_alias="LOCAL_TEMPORAL_PORT")
    temporal_ui_port: int = Field(default=8233, ge=1, le=65535, validation_alias="LOCAL_TEMPORAL_UI_PORT")
    smtp_port: int = Field(default=2525, ge=1, le=65535, validation_alias="LOCAL_SMTP_PORT")
    auto_close_seconds: int = Field(default=7 * 24 * 3600, ge=0, validation_alias="LOCAL_AUTO_CLOSE_SECONDS")
    worker: bool = Field(default=True, validation_alias="LOCAL_WORKER")
    """Without it somebody else starts the worker, and may stop it: a debugger, or a rehearsal of an outage."""

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
        workers = {"worker": self.worker_port, "notifier": self.notifier_port} if self.worker else {}
        return workers | {"api": self.http_port}

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def environment(self, postgres: EmbeddedPostgres) -> dict[str, str]:
        """Return the environment of the API and the worker: what the caller set, under what makes the parts find each other."""
        return {"APP_ENV_MAIL_RETRY_SECONDS": "2", **os.environ, "PYTHONTZPATH": "", **self._addresses(postgres)}

    def _addresses(self, postgres: EmbeddedPostgres) -> dict[str, str]:
        settings = {
            "database_url": postgres.url("helpdesk_app"),
            "database_relay_url": postgres.url("helpdesk_relay"),
            "database_owner_url": postgres.url("helpdesk_owner"),
            "temporal_address": f"127.0.0.1:{self.temporal_port}",
            "identity_jwks_url": f"{self.issuer}/.well-known/jwks.json",
            "identity_issuer": self.issuer,
            "identity_audience": AUDIENCE,
            "signing_key": _signing_key(self.var / "secrets" / "signing.key"),
            "public_url": self.base,
            "http_host": "127.0.0.1",  # never further: whoever reaches /dev can be anybody
            "http_port": str(self.http_port),
            "worker_port": str(self.worker_port),
            "smtp_host": "127.0.0.1",
            "smtp_port": str(self.smtp_port),
            "smtp_security": "none",
            "mail_from": "helpdesk@demo.local",
        }
        return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()} | {"LOCAL_VAR": str(self.var)}


def read_layout() -> Layout:
    """Return the layout that the environment describes, its folder absolute; raise CannotStartError with all that is wrong."""
    try:
        layout = Layout()
    except ValidationError as error:
        lines = sorted(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise CannotStartError("the settings are not valid:\n" + "\n".join(lines)) from None
    return layout.model_copy(update={"var": layout.var.absolute()})


def check_ports(layout: Layout) -> None:
    """Raise CannotStartError that names every port which somebody else listens on, or which was given twice."""
    ports = {name: int(getattr(layout, name)) for name in _PORTS}
    uses = Counter(ports.values())
    wrong = [
        f"  port {port} for {what} is {'given twice' if uses[port] > 1 else 'taken'}; free it, or choose another with {variable}=..."
        for name, (what, variable) in _PORTS.items()
        if uses[port := ports[name]] > 1 or _taken(port)
    ]
    if wrong:
        raise CannotStartError("nothing was started:\n" + "\n".join(wrong))


def _taken(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        if caller.connect_ex(("127.0.0.1", port)) == 0:
            return True
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what merely lingers after a close is free
        return _refuses(probe, port)


def _refuses(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return True
    return False


def _signing_key(file: Path) -> str:
    if not file.exists():
        keep_secret(file, secrets.token_urlsafe(48).encode())
    return file.read_text()
