"""What the environment says, validated at once when a process starts.

Every setting is an environment variable with the prefix ``APP_ENV_``; a secret may also be given as a file, named by the same
variable with the suffix ``_FILE``. Only the composition roots (deploy/, worker.py) read it; everything else is handed values.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    Field,
    SecretStr,
    UrlConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.networks import AnyUrl, HttpUrl
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "APP_ENV_"
_SECRETS = ("database_url", "database_relay_url", "database_owner_url", "temporal_api_key", "signing_key", "smtp_password")
PostgresUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["postgresql"])]


class WorkerQueue(StrEnum):
    """A task queue that a worker process may serve."""

    TICKETS = "tickets"
    NOTIFICATIONS = "notifications"
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


class Settings(_FromEnvironment):
    """All settings of all roles. Durations are seconds."""

    database_url: PostgresUrl = Field(description="the application role: bound by row-level security")
    database_relay_url: PostgresUrl = Field(description="the relay role: the outbox of every merchant and little else")
    database_pool_size: int = Field(default=10, ge=1, le=200)
    database_merchant_share: float = Field(default=0.6, gt=0, le=1, description="the part of the pool that one merchant may have at once")
    database_statement_seconds: float = Field(default=10, gt=0, le=30)
    database_lock_seconds: float = Field(default=5, gt=0, le=30)
    database_idle_seconds: float = Field(default=30, gt=0, description="in a transaction: then it is ended, and its locks are free")

    temporal_address: str = Field(default="127.0.0.1:7233", pattern=r"^[^\s:]+:\d+$")
    temporal_namespace: str = Field(default="default", min_length=1)
    temporal_tls: bool = False
    temporal_api_key: SecretStr | None = None

    identity_jwks_url: HttpUrl
    identity_issuer: str = Field(min_length=1)
    identity_audience: str = Field(min_length=1)
    identity_emails_verified: bool = Field(default=False, description="a token that does not say email_verified means that it is")

    signing_key: SecretStr = Field(min_length=32, description="signs page cursors and survey links")
    public_url: HttpUrl = Field(description="where a client reaches the API; the start of every link in a mail")

    http_host: str = "0.0.0.0"  # noqa: S104 - inside a container every address is the container's own
    http_port: int = Field(default=3000, ge=0, le=65535)
    worker_port: int = Field(default=3001, ge=0, le=65535, description="the worker's health probes")
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

    @field_validator("worker_queues", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(dict.fromkeys(name.strip() for name in value.split(","))) if isinstance(value, str) else value

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


class _Unreadable(NamedTuple):
    """Stands in a secret's place until its field is validated, so that this is one line among all that is wrong."""

    why: str


def _content(file: str) -> str | _Unreadable:
    try:
        return Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        return _Unreadable(getattr(error, "strerror", None) or "it is not text")


def explain(error: ValidationError) -> str:
    """Say all that is wrong with the settings at once, a line each, by the name of the variable and never with its value."""
    lines = [f"  {PREFIX}{'_'.join(str(part) for part in e['loc']).upper() or '*'}: {e['msg']}" for e in error.errors(include_input=False)]
    return "the settings are not valid:\n" + "\n".join(sorted(lines))
