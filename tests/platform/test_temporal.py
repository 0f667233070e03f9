"""The connection to Temporal as a cluster wants it: encrypted, and shown a certificate."""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from models.platform.settings import TemporalSettings
from models.platform.temporal import Connection, connect, is_reachable
from tests.support.mutual_tls import NAME, Authority, mutual_tls


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings_of(monkeypatch: pytest.MonkeyPatch, address: str, **files: Path) -> TemporalSettings:
    for name, file in files.items():
        monkeypatch.setenv(f"APP_ENV_TEMPORAL_TLS_{name.upper()}_FILE", str(file))
    return TemporalSettings(temporal_address=address, temporal_tls=True, temporal_tls_server_name=NAME)


async def test_a_server_that_asks_for_a_certificate_is_shown_ours(
    environment: WorkflowEnvironment, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.issue("helpdesk")
    async with mutual_tls(authority, environment.client.service_client.config.target_host) as address:
        settings = settings_of(monkeypatch, address, ca=authority.certificate, certificate=certificate, key=key)
        assert await is_reachable(await connect(settings, Connection.NOW))


async def test_without_our_certificate_or_with_a_strangers_it_is_not_reached(
    environment: WorkflowEnvironment, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder := tmp_path / "stranger").mkdir()
    strangers = dict(zip(("certificate", "key"), Authority(folder).issue("helpdesk"), strict=True))
    async with mutual_tls(authority, environment.client.service_client.config.target_host) as address:
        for shown in ({}, strangers):
            settings = settings_of(monkeypatch, address, ca=authority.certificate, **shown)
            with pytest.raises(RuntimeError):
                await connect(settings, Connection.NOW)


async def test_a_server_of_another_name_or_authority_is_not_trusted(
    environment: WorkflowEnvironment, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder := tmp_path / "stranger").mkdir()
    certificate, key = authority.issue("helpdesk")
    async with mutual_tls(authority, environment.client.service_client.config.target_host) as address:
        stranger = settings_of(monkeypatch, address, ca=Authority(folder).certificate, certificate=certificate, key=key)
        ours = settings_of(monkeypatch, address, ca=authority.certificate, certificate=certificate, key=key)
        for settings in (stranger, ours.model_copy(update={"temporal_tls_server_name": "another.test"})):
            with pytest.raises(RuntimeError):
                await connect(settings, Connection.NOW)
