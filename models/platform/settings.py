"""What the environment says, validated at once when a process starts.

Every setting is an environment variable with the prefix ``APP_ENV_``; a secret may also be given as a file, named by the same
variable with the suffix ``_FILE``. Only the composition roots (deploy/, worker.py) read it; everything else is handed values.
"""

import os
import re
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self
from urllib.parse import quote

from email_validator import EmailNotValidError, validate_email
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from pydantic import (
    Field,
    SecretStr,
    UrlConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.networks import AnyUrl, HttpUrl, IPvAnyNetwork
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "APP_ENV_"
_SECRETS = (
    "database_url",
    "database_relay_url",
    "database_owner_url",
    "temporal_tls_ca",
    "temporal_tls_certificate",
    "temporal_tls_key",
    "temporal_api_key",
    "signing_keys",
    "rate_limit_storage",
    "smtp_password",
)
SigningKey = Annotated[SecretStr, Field(min_length=32)]
EXAMPLE = "change-me"
"""How the keys in deploy/env.example begin: anybody may know them."""
SLUG = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A merchant's name for machines."""
PostgresUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["postgresql"])]


class WorkerQueue(StrEnum):
    """A task queue that a worker process may serve."""

    TICKETS = "tickets"
    NOTIFICATIONS = "notifications"
    JOBS = "jobs"
    MAINTENANCE = "maintenance"


class MailSecurity(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class _FromEnvironment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        files = {name: os.environ.get(f"{PREFIX}{name.upper()}_FILE") for name in _SECRETS if name not in values}
        return values | {name: _content(file) for name, file in files.items() if file}

    @field_validator("*", mode="before")
    @classmethod
    def _file_was_readable(cls, value: Any, field: ValidationInfo) -> Any:
        if isinstance(value, _Unreadable):
            raise ValueError(f"{PREFIX}{str(field.field_name).upper()}_FILE cannot be read: {value.why}")  # noqa: TRY004 - pydantic gathers it
        return value


class TemporalSettings(_FromEnvironment):
    """Where Temporal is."""

    temporal_address: str = Field(default="127.0.0.1:7233", pattern=r"^[^\s:]+:\d+$")
    temporal_namespace: str = Field(default="default", min_length=1)
    temporal_tls: bool = False
    temporal_tls_server_name: str | None = Field(default=None, min_length=1, description="in its certificate, if not the address's host")
    temporal_tls_ca: SecretStr | None = Field(default=None, description="PEM: who signed it, if not an authority that the system knows")
    temporal_tls_key: SecretStr | None = Field(default=None, description="PEM: the key of our own certificate")
    temporal_tls_certificate: SecretStr | None = Field(
        default=None, validate_default=True, description="PEM: ours, for a server that asks for one"
    )
    temporal_api_key: SecretStr | None = None
    temporal_ui_url: HttpUrl | None = Field(default=None, description="of the Temporal UI: a ticket's workflow is linked there, for leads")

    @property
    def workflows_url(self) -> str | None:
        """Where the Temporal UI shows the workflows of the namespace."""
        if self.temporal_ui_url is None:
            return None
        return f"{str(self.temporal_ui_url).rstrip('/')}/namespaces/{quote(self.temporal_namespace, safe='')}/workflows"

    @field_validator("temporal_api_key")
    @classmethod
    def _is_sent_encrypted(cls, value: SecretStr | None, other: ValidationInfo) -> SecretStr | None:
        if value and not other.data.get("temporal_tls", True):
            raise ValueError("it would be sent as plain text: set APP_ENV_TEMPORAL_TLS=true")
        return value

    @field_validator("temporal_tls_server_name", "temporal_tls_ca", "temporal_tls_certificate")
    @classmethod
    def _belongs_to_tls(cls, value: SecretStr | str | None, other: ValidationInfo) -> SecretStr | str | None:
        if value and not other.data.get("temporal_tls", True):
            raise ValueError("it says nothing without TLS: set APP_ENV_TEMPORAL_TLS=true")
        return value

    @field_validator("temporal_tls_certificate")
    @classmethod
    def _has_its_key(cls, value: SecretStr | None, other: ValidationInfo) -> SecretStr | None:
        if (value is None) != (other.data.get("temporal_tls_key") is None):
            raise ValueError("a certificate and APP_ENV_TEMPORAL_TLS_KEY are given together, or neither")
        return value


class RelaySettings(_FromEnvironment):
    """Where what waits for Temporal is."""

    database_relay_url: PostgresUrl = Field(description="the relay role: the outbox of every merchant and little else")


class Settings(TemporalSettings, RelaySettings):
    """All settings of the API and the worker. Durations are seconds."""

    database_url: PostgresUrl = Field(description="the application role: bound by row-level security")
    database_pool_size: int = Field(default=10, ge=1, le=200)
    database_merchant_share: float = Field(default=0.6, gt=0, le=1, description="the part of the pool that one merchant may have at once")
    database_statement_seconds: float = Field(default=10, gt=0, le=30)
    database_lock_seconds: float = Field(default=5, gt=0, le=30)
    database_idle_seconds: float = Field(default=30, gt=0, description="in a transaction: then it is ended, and its locks are free")

    identity_jwks_url: HttpUrl
    identity_issuer: str = Field(min_length=1)
    identity_audience: str = Field(min_length=1)
    identity_emails_verified: bool = Field(default=False, description="a token that does not say email_verified means that it is")

    signing_keys: Annotated[tuple[SigningKey, ...], NoDecode] = Field(
        min_length=1, max_length=5, description="the newest first: it signs page cursors and links, and each of them verifies"
    )
    public_url: HttpUrl = Field(description="where a client reaches the API; the start of every link in a mail")

    http_host: str = "0.0.0.0"  # noqa: S104 - inside a container every address is the container's own
    http_port: int = Field(default=3000, ge=0, le=65535)
    http_processes: int = Field(default=1, ge=1, le=64, description="of the API on this port, each with its own pool and metrics")
    http_drain_seconds: float = Field(default=5, ge=0, le=60, description="from SIGTERM until the API's port is closed")
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=(), description="addresses and networks whose X-Forwarded-For is believed"
    )
    rate_limit_storage: str = Field(default="memory://", repr=False, description="memory:// is each process's own; redis://... is shared")
    rate_limit_per_second: float = Field(default=50, gt=0, description="requests of one subject; a search or a report counts ten")
    rate_limit_burst: int = Field(default=300, ge=20, le=10_000_000, description="of one subject at once")
    rate_limit_merchant_subjects: int = Field(default=10, ge=1, le=100_000, description="a merchant may do what so many subjects may")
    worker_port: int = Field(default=3001, ge=0, le=65535, description="the worker's health probes")
    http_metrics_port: int = Field(default=9464, ge=0, le=65535, description="what the API measures, for Prometheus")
    worker_metrics_port: int = Field(default=9465, ge=0, le=65535, description="what the worker measures")
    temporal_metrics_port: int = Field(default=9466, ge=0, le=65535, description="what Temporal's SDK in the worker measures")
    worker_processes: int = Field(default=1, ge=1, le=64, description="of the worker, each with its own pool, cache and metrics")
    worker_deployment: str = Field(default="helpdesk", pattern=r"^[^.\s]+$", description="the name of the workers' deployment in Temporal")
    worker_build_id: str | None = Field(default=None, min_length=1, max_length=200, description="of this release: workers are versioned")
    worker_queues: Annotated[tuple[WorkerQueue, ...], NoDecode] = Field(
        default=tuple(WorkerQueue), min_length=1, description="the task queues that a worker process serves, separated by commas"
    )

    smtp_host: str = Field(min_length=1)
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_security: MailSecurity = MailSecurity.STARTTLS
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout_seconds: float = Field(default=15, gt=0, le=300)
    mail_from: str = Field(description="the sender of every e-mail: an address without a name")
    mail_retry_seconds: float = Field(default=30, gt=0, description="the pause before the second of five tries; it grows fourfold")
    mail_hourly_limit: int = Field(
        default=60, ge=1, le=100_000, description="notifications an hour to one address; what is held back is listed in one e-mail"
    )

    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_endpoint: HttpUrl | None = Field(default=None, description="a collector of OpenTelemetry; without one there are no traces")
    otlp_ratio: float = Field(default=1, gt=0, le=1, description="the part of the traces that is kept")

    @property
    def plain_signing_keys(self) -> tuple[str, ...]:
        return tuple(key.get_secret_value() for key in self.signing_keys)

    @field_validator("worker_queues", "signing_keys", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Of an environment variable; a file may have a line for each."""
        return tuple(dict.fromkeys(re.split(r"[,\s]+", value.strip()))) if isinstance(value, str) else value

    @field_validator("identity_jwks_url")
    @classmethod
    def _cannot_be_forged_on_the_way(cls, value: HttpUrl) -> HttpUrl:
        if value.scheme != "https" and not _is_this_machine(value.host or ""):
            raise ValueError("keys that come over plain http can be anybody's: use https, unless it is this machine")
        return value

    @field_validator("signing_keys")
    @classmethod
    def _are_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(key.get_secret_value().startswith(EXAMPLE) for key in value):
            raise ValueError("the example's key is known to everybody: make one, for example with `openssl rand -base64 48`")
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _can_count(cls, value: str) -> str:
        try:
            storage_from_string(f"async+{value}")
        except (ConfigurationError, ValueError):
            raise ValueError("no storage of the library `limits`, or its driver is missing: pip install 'limits[async-redis]'") from None
        return value

    @field_validator("rate_limit_burst")
    @classmethod
    def _lasts_a_second(cls, value: int, other: ValidationInfo) -> int:
        if value < other.data.get("rate_limit_per_second", 0):
            raise ValueError("it is less than APP_ENV_RATE_LIMIT_PER_SECOND allows in a second")
        return value

    @field_validator("smtp_password")
    @classmethod
    def _is_not_shown_to_the_network(cls, value: SecretStr | None, other: ValidationInfo) -> SecretStr | None:
        if value and other.data.get("smtp_security") is MailSecurity.NONE:
            raise ValueError("it would be sent as plain text: set APP_ENV_SMTP_SECURITY to starttls or tls")
        return value

    @field_validator("mail_from")
    @classmethod
    def _can_send(cls, value: str) -> str:
        """Whether such a domain is served is for the mail server to judge: behind a suffix also ``demo.local`` is one like any other."""
        try:
            validate_email(f"{value}.example", check_deliverability=False)
        except EmailNotValidError:
            raise ValueError("it is not an address of the form name@domain") from None
        return value


class MigrationSettings(_FromEnvironment):
    """What the one-shot role ``migrate`` needs, and nothing more."""

    database_owner_url: PostgresUrl = Field(description="the role that owns the tables; only the migration uses it")


class SetupSettings(TemporalSettings, MigrationSettings):
    """What the one-shot role ``setup`` needs. The first merchant is made if both of its settings are there."""

    database_url: PostgresUrl = Field(description="the application role: it makes the first merchant")
    setup_merchant_slug: str | None = Field(
        default=None, pattern=SLUG, description="of the first merchant: it is made unless there is one with this slug"
    )
    setup_merchant_name: str | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _names_a_whole_merchant(self) -> Self:
        if (self.setup_merchant_slug is None) != (self.setup_merchant_name is None):
            raise ValueError("APP_ENV_SETUP_MERCHANT_SLUG and APP_ENV_SETUP_MERCHANT_NAME are given together, or neither")
        return self


class _Unreadable(NamedTuple):
    """Stands in a secret's place until its field is validated, so that this is one line among all that is wrong."""

    why: str


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _content(file: str) -> str | _Unreadable:
    try:
        return Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        return _Unreadable(getattr(error, "strerror", None) or "it is not text")


def explain(error: ValidationError) -> str:
    """Say all that is wrong with the settings at once, a line each, by the name of the variable and never with its value."""
    lines = {f"  {PREFIX}{str(e['loc'][0]).upper() if e['loc'] else '*'}: {e['msg']}" for e in error.errors(include_input=False)}
    return "the settings are not valid:\n" + "\n".join(sorted(lines))
