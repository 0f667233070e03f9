"""What the image holds of the lock: `python -m deploy.image` prints it, for the list of its parts (`make image-sbom`)."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_UNINSTALL = re.compile(r"uninstall --quiet --yes ((?:[^\n]*\\\n)*[^\n]*)")


def removed() -> set[str]:
    """The distributions that the Dockerfile takes away after it has installed the lock."""
    command = _UNINSTALL.search((ROOT / "deploy" / "Dockerfile").read_text())
    if command is None:
        raise LookupError("the Dockerfile uninstalls nothing")
    return set(command[1].replace("\\\n", " ").split())


def kept(lock: str) -> str:
    """The entries of ``lock``, each with its hashes, that are not :func:`removed`."""
    away = removed()
    entries = re.split(r"^(?=\w)", lock, flags=re.MULTILINE)
    return "".join(each for each in entries if each.partition("==")[0] not in away)


if __name__ == "__main__":
    sys.stdout.write(kept((ROOT / "requirements.lock").read_text()))
