"""Prometheus' own tester of rules. It comes only with Debian's package ``prometheus``, which is unpacked and not installed."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CACHE = Path(sys.prefix) / "prometheus"
_TOOL = _CACHE / "usr" / "bin" / "promtool"
_SECONDS = 90


def promtool() -> Path:
    """The one of this machine, or the package's, fetched once. A machine that can have neither skips the test, and says so."""
    if installed := shutil.which("promtool"):
        return Path(installed)
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two processes of the tests fetch it once
        if not _TOOL.exists():
            _fetch()
    return _TOOL


def _fetch() -> None:
    try:
        if _run("apt-get", "-q", "download", "prometheus").returncode:
            _run("apt-get", "-q", "update")
            _run("apt-get", "-q", "download", "prometheus").check_returncode()
        for package in _CACHE.glob("prometheus_*.deb"):
            _run("dpkg", "-x", package.name, "unpacked").check_returncode()
            package.unlink()
        (_CACHE / "unpacked" / "usr").rename(_CACHE / "usr")
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"NOT TESTED: the alerts. promtool is not here and can't be fetched ({error}): install Debian's package prometheus")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=_CACHE, capture_output=True, text=True, timeout=_SECONDS, check=False)
