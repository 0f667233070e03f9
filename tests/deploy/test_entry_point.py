"""The process as an operator starts it: what is wrong is said at once, and the exit code is 2."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRONG = 2


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy"], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("environment", [{}, {"RUN_MODE": ""}, {"RUN_MODE": "Worker"}, {"RUN_MODE": "api"}])
def test_a_missing_or_wrong_run_mode_lists_the_allowed_ones(environment: dict[str, str]) -> None:
    ended = start(**environment)
    assert ended.returncode == WRONG
    assert ended.stderr.strip().endswith("it must be one of: startup, worker, setup, migrate, resync, local")


@pytest.mark.parametrize("role", ["startup", "worker"])
def test_everything_wrong_with_the_settings_is_listed_at_once_and_without_values(role: str) -> None:
    ended = start(RUN_MODE=role, APP_ENV_SIGNING_KEYS="too-short-a-secret", APP_ENV_HTTP_PORT="99999999")
    assert ended.returncode == WRONG
    for name in ("DATABASE_URL", "DATABASE_RELAY_URL", "IDENTITY_JWKS_URL", "SIGNING_KEYS", "HTTP_PORT", "SMTP_HOST", "MAIL_FROM"):
        assert f"APP_ENV_{name}: " in ended.stderr
    assert "too-short-a-secret" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_migration_asks_for_the_owner_and_nothing_else() -> None:
    ended = start(RUN_MODE="migrate")
    assert ended.returncode == WRONG
    assert "APP_ENV_DATABASE_OWNER_URL" in ended.stderr
    assert "APP_ENV_DATABASE_URL" not in ended.stderr
