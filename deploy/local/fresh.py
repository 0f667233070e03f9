"""``make fresh``: forget everything that the local system holds, unless it runs."""

import shutil
import sys
from pathlib import Path

from deploy.local.layout import CannotStartError, read_layout
from deploy.local.ownership import end_leftovers, owning

_OURS = ("log", "mail", "postgres", "processes.json", "secrets", "temporal")


def main() -> None:
    try:
        var = read_layout().var
        with owning(var):
            end_leftovers(var)
            forget(var)
    except CannotStartError as error:
        sys.exit(f"{error}; stop it first")
    print(f"{var} is empty")


def forget(var: Path) -> None:
    """Remove what a local system made in ``var``, and nothing else: the folder's name came from the environment."""
    for name in _OURS:
        path = var / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
