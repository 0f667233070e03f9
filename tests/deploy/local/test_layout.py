import socket
from pathlib import Path

import pytest

from deploy.local.layout import CannotStartError, Layout, check_ports, read_layout
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.temporal import free_port
from models.platform.settings import MigrationSettings, Settings, WorkerQueue

PORTS = [name for name in Layout.model_fields if name.endswith("_port")]


def layout(tmp_path: Path, **chosen: int) -> Layout:
    return Layout.model_validate({"var": tmp_path, **{name: free_port() for name in PORTS}, **chosen})


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - wherever another process listens
def test_a_port_that_is_taken_is_named_with_the_variable_that_changes_it(tmp_path: Path, address: str) -> None:
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CannotStartError, match=rf"port {port} for Temporal is taken.*LOCAL_TEMPORAL_PORT"):
            check_ports(layout(tmp_path, temporal_port=port))


def test_a_port_given_twice_is_named_for_both(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(CannotStartError) as error:
        check_ports(layout(tmp_path, smtp_port=port, http_port=port))
    assert str(error.value).count("given twice") == 2


def test_free_ports_are_fine(tmp_path: Path) -> None:
    check_ports(layout(tmp_path))


def test_all_wrong_choices_are_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_SMTP_PORT", "many")
    monkeypatch.setenv("APP_ENV_HTTP_PORT", "0")
    with pytest.raises(CannotStartError, match=r"(?s)APP_ENV_HTTP_PORT.*LOCAL_SMTP_PORT"):
        read_layout()


def test_the_environment_of_the_parts_is_a_whole_set_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = layout(tmp_path)
    for name, value in here.environment(EmbeddedPostgres(tmp_path / "postgres")).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.http_host == "127.0.0.1"
    assert settings.mail_retry_seconds == 2
    assert settings.worker_queues == tuple(WorkerQueue)
    assert str(settings.identity_jwks_url) == f"{here.base}/dev/identity/.well-known/jwks.json"
    assert "helpdesk_owner" in str(MigrationSettings().database_owner_url)
    again = read_layout()
    assert (again.issuer, again.mail, again.identity_key) == (here.issuer, here.mail, here.identity_key)


def test_the_signing_key_stays_the_same(tmp_path: Path) -> None:
    here, postgres = layout(tmp_path), EmbeddedPostgres(tmp_path / "postgres")
    first, second = (here.environment(postgres)["APP_ENV_SIGNING_KEYS"] for _ in range(2))
    assert first == second


def test_the_worker_may_be_started_by_other_means(tmp_path: Path) -> None:
    assert list(layout(tmp_path).processes) == ["worker", "api"]
    assert list(layout(tmp_path, worker=False).processes) == ["api"]
