from pathlib import Path

import pytest
from pydantic import ValidationError

from models.platform.settings import MailSecurity, Settings, WorkerQueue, explain

WHOLE = {
    "APP_ENV_DATABASE_URL": "postgresql://app@db/helpdesk",
    "APP_ENV_DATABASE_RELAY_URL": "postgresql://relay@db/helpdesk",
    "APP_ENV_IDENTITY_JWKS_URL": "https://identity.example/jwks",
    "APP_ENV_IDENTITY_ISSUER": "https://identity.example",
    "APP_ENV_IDENTITY_AUDIENCE": "helpdesk",
    "APP_ENV_SIGNING_KEYS": "s" * 32,
    "APP_ENV_PUBLIC_URL": "https://helpdesk.example",
    "APP_ENV_SMTP_HOST": "smtp.example",
    "APP_ENV_MAIL_FROM": "desk@helpdesk.example",
}


def example(name: str) -> str:
    """What deploy/env.example says."""
    text = (Path(__file__).parents[2] / "deploy" / "env.example").read_text()
    return next(line.partition("=")[2] for line in text.splitlines() if line.startswith(f"APP_ENV_{name}="))


def read(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Settings:
    for name, value in (WHOLE | {f"APP_ENV_{name}": value for name, value in changes.items()}).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return Settings()


def test_a_whole_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch).smtp_port == 25


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("f" * 40 + "\n")
    settings = read(monkeypatch, SIGNING_KEYS=None, SIGNING_KEYS_FILE=str(tmp_path / "key"))
    assert settings.plain_signing_keys == ("f" * 40,)


def test_a_secret_file_that_is_not_there_is_explained_like_any_other_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, SIGNING_KEYS=None, SIGNING_KEYS_FILE=str(tmp_path / "nowhere"), SMTP_HOST=None)
    assert "SIGNING_KEYS_FILE" in explain(error.value)


def test_what_is_wrong_is_listed_by_variable_and_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, SIGNING_KEYS="hunter2", TEMPORAL_ADDRESS="nowhere", SMTP_SECURITY="maybe", MAIL_FROM=None)
    said = explain(error.value)
    assert all(f"APP_ENV_{name}: " in said for name in ("SIGNING_KEYS", "TEMPORAL_ADDRESS", "SMTP_SECURITY", "MAIL_FROM"))
    assert "hunter2" not in said


@pytest.mark.parametrize("url", ["mysql://db/helpdesk", "postgresql+asyncpg://db/helpdesk", "helpdesk"])
def test_a_database_address_is_postgresqls(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(ValidationError, match="database_url"):
        read(monkeypatch, DATABASE_URL=url)


def test_no_secret_is_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "s" * 32 not in repr(read(monkeypatch))


def test_a_worker_serves_every_queue_unless_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, WORKER_QUEUES="").worker_queues == tuple(WorkerQueue)
    assert read(monkeypatch, WORKER_QUEUES="tickets, maintenance,tickets").worker_queues == (WorkerQueue.TICKETS, WorkerQueue.MAINTENANCE)


@pytest.mark.parametrize("names", ["letters", ",", "tickets;maintenance"])
def test_a_queue_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, WORKER_QUEUES=names)
    assert "APP_ENV_WORKER_QUEUES" in explain(error.value)


@pytest.mark.parametrize(
    "address", ["Help<x@y>", "Help <help@desk.test>", "desk", "@desk.test", "a@b, c@d", "desk@desk.test\nBcc: x@y", "desk@b_d.test"]
)
def test_a_sender_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, MAIL_FROM=address)
    assert "APP_ENV_MAIL_FROM: " in explain(error.value)
    assert address not in explain(error.value)


@pytest.mark.parametrize("address", ["helpdesk@demo.local", "helpdesk@localhost", "desk@bücher.example"])
def test_a_sender_may_be_in_any_domain(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert read(monkeypatch, MAIL_FROM=address).mail_from == address


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"IDENTITY_JWKS_URL": "http://identity.example/jwks"}, "IDENTITY_JWKS_URL"),
        ({"IDENTITY_JWKS_URL": "http://10.0.0.1/jwks"}, "IDENTITY_JWKS_URL"),
        ({"SIGNING_KEYS": example("SIGNING_KEYS")}, "SIGNING_KEYS"),
        ({"SIGNING_KEYS": f"{'n' * 32},{example('SIGNING_KEYS')}"}, "SIGNING_KEYS"),
        ({"SIGNING_KEYS": f"{'n' * 32},short"}, "SIGNING_KEYS"),
        ({"SIGNING_KEYS": ",".join(letter * 32 for letter in "abcdef")}, "SIGNING_KEYS"),
        ({"TEMPORAL_API_KEY": "secret-of-temporal"}, "TEMPORAL_API_KEY"),
        ({"SMTP_PASSWORD": "secret-of-smtp", "SMTP_SECURITY": "none"}, "SMTP_PASSWORD"),
        ({"TRUSTED_PROXIES": "*"}, "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,proxy.example"}, "TRUSTED_PROXIES"),
        ({"RATE_LIMIT_STORAGE": "carrier-pigeon://secret"}, "RATE_LIMIT_STORAGE"),
        ({"RATE_LIMIT_BURST": "40"}, "RATE_LIMIT_BURST"),
        ({"RATE_LIMIT_PER_SECOND": "0"}, "RATE_LIMIT_PER_SECOND"),
    ],
)
def test_what_would_harm_is_refused(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], variable: str) -> None:
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, **changes)
    _, *lines = explain(error.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"  APP_ENV_{variable}"]
    assert not [value for value in changes.values() if len(value) > 4 and value in explain(error.value)]


def test_all_that_would_harm_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"IDENTITY_JWKS_URL": "http://identity.example", "SIGNING_KEYS": example("SIGNING_KEYS"), "TEMPORAL_API_KEY": "k"}
    with pytest.raises(ValidationError) as error:
        read(monkeypatch, **wrong, SMTP_PASSWORD="p", SMTP_SECURITY="none", MAIL_FROM=None)
    assert all(f"  APP_ENV_{name}: " in explain(error.value) for name in (*wrong, "SMTP_PASSWORD", "MAIL_FROM"))


def test_what_is_sent_encrypted_or_stays_on_this_machine_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    here = read(monkeypatch, IDENTITY_JWKS_URL="http://[::1]:3000/jwks", TEMPORAL_API_KEY="k", TEMPORAL_TLS="true", SMTP_PASSWORD="p")
    assert here.smtp_security is MailSecurity.STARTTLS


def test_keys_stand_in_their_order_in_a_line_or_in_the_lines_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new, old = "n" * 32, "o" * 32
    assert read(monkeypatch, SIGNING_KEYS=f"{new}, {old}").plain_signing_keys == (new, old)
    (tmp_path / "keys").write_text(f"{new}\n{old}\n")
    assert read(monkeypatch, SIGNING_KEYS=None, SIGNING_KEYS_FILE=str(tmp_path / "keys")).plain_signing_keys == (new, old)


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, TRUSTED_PROXIES="").trusted_proxies == ()
    given = read(monkeypatch, TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.7,2001:db8::/32").trusted_proxies
    assert [str(network) for network in given] == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]
