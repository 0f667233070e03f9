import pytest

from deploy.local.layout import CannotStartError
from deploy.local.refusal import refuse_production


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("APP_ENV_DATABASE_URL", "postgresql://app:hunter2@db.example/helpdesk"),
        ("APP_ENV_DATABASE_URL", "postgresql:///helpdesk?host=db.example"),
        ("APP_ENV_DATABASE_URL", "postgresql://localhost,db.example/helpdesk"),
        ("APP_ENV_DATABASE_OWNER_URL", "postgresql://10.1.2.3/helpdesk"),
        ("APP_ENV_DATABASE_RELAY_URL", "postgresql://localhost.example/helpdesk"),
        ("APP_ENV_TEMPORAL_ADDRESS", "temporal.example:7233"),
        ("APP_ENV_TEMPORAL_API_KEY", "hunter2"),
        ("APP_ENV_SIGNING_KEY_FILE", "/run/secrets/signing-key"),
        ("APP_ENV_PUBLIC_URL", "https://helpdesk.example"),
        ("APP_ENV_SMTP_HOST", "smtp.example"),
        ("APP_ENV_IDENTITY_JWKS_URL", "https://identity.example/jwks"),
        ("APP_ENV_DATABASE_URL", "postgresql://[broken/helpdesk"),
    ],
)
def test_what_looks_like_production_is_named_but_not_shown(name: str, value: str) -> None:
    with pytest.raises(CannotStartError, match=name) as error:
        refuse_production({name: value})
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ENV_DATABASE_URL", "postgresql:///helpdesk?user=app&host=/run/postgresql"),
        ("APP_ENV_DATABASE_URL", "postgresql://app@127.0.0.1:5432/helpdesk"),
        ("APP_ENV_DATABASE_URL", "postgresql://app@[::1]/helpdesk"),
        ("APP_ENV_TEMPORAL_ADDRESS", "localhost:7233"),
        ("APP_ENV_LOG_LEVEL", "DEBUG"),
        ("APP_ENV_SMTP_PASSWORD", ""),
    ],
)
def test_what_is_on_this_machine_is_fine(name: str, value: str) -> None:
    refuse_production({name: value})
