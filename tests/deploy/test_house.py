"""What the repository promises to a bare machine."""

import re
from pathlib import Path

from deploy.app_info import APP_INFO

ROOT = Path(__file__).parents[2]


def test_the_lock_names_no_address_and_every_pin_has_a_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert not re.search(r"^-", lock, re.MULTILINE)
    pins = re.split(r"\n(?=[a-z])", lock.strip())
    assert all(re.match(r"[a-z0-9-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", pin) for pin in pins)


def test_the_image_copies_nothing_of_the_local_stack() -> None:
    copied = re.findall(r"^COPY (.+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    assert not [line for line in copied if "local" in line or line.startswith(("deploy ", ". "))]


def test_the_services_identity_stands_in_one_file_and_reaches_the_rest_as_a_value() -> None:
    files = [
        path for folder in ("activities", "api", "deploy", "models", "workflows") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    manifests = {
        path for path in files if path.suffix in {".yaml", ".yml"} or path.name == "Dockerfile"
    }  # compared in test_compose.py and test_kubernetes.py
    texts = {path: path.read_text() for path in {*files, ROOT / "worker.py"} - manifests if path.suffix != ".pyc"}
    assert {path.name for path, text in texts.items() if APP_INFO.code in text or str(APP_INFO.port) in text} == {"app-info.json"}
    assert {path.name for path, text in texts.items() if "app-info" in text} == {"app_info.py"}
