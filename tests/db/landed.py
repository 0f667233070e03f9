"""Which migrations have landed, and with which text. ``python -m tests.db.landed`` records those that are new, and changes no other."""

import json
from hashlib import sha256
from pathlib import Path

from models.db import migrate

_VERSIONS = Path(migrate.__file__).with_name("migrations") / "versions"
_LANDED = Path(__file__).with_name("landed.json")


def migrations() -> list[str]:
    return sorted(path.name for path in _VERSIONS.glob("*.py"))


def fingerprint(name: str) -> str:
    """Of the text; empty if there is no such migration any more."""
    path = _VERSIONS / name
    return sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def landed_migrations() -> dict[str, str]:
    """Their fingerprints, by the name of the file."""
    landed: dict[str, str] = json.loads(_LANDED.read_text())
    return landed


if __name__ == "__main__":
    recorded = {name: fingerprint(name) for name in migrations()} | landed_migrations()
    _LANDED.write_text(json.dumps(recorded, indent=2) + "\n")
