"""``make fresh``: forget everything that the local system holds, unless it runs."""

import shutil
import sys
from pathlib import Path

from deploy.local.layout import CannotStartError, owning, read_layout


def main() -> None:
    try:
        var = read_layout().var
        with owning(var):
            forget(var)
    except CannotStartError as error:
        sys.exit(f"{error}; stop it first")
    print(f"{var} is empty")


def forget(var: Path) -> None:
    """Remove what a local system made in ``var``, and nothing else: the folder's name came from the environment."""
    for name in ("log", "mail", "postgres", "secrets", "temporal"):
        if (folder := var / name).exists():
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
