"""The schema's revisions, as the files of the migrations name them: an API that looks whether the schema is its own needs no Alembic."""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("migrations")
RETIRED = frozenset({"0001", "0002"})
"""They were edited while nothing was in production: what such a database holds, nobody knows. docs/decisions/0023-landed-migrations.md"""
_NAMED = re.compile(r'^revision(?:: str)? = "(\w+)"$', re.MULTILINE)


@cache
def known_revisions() -> tuple[str, ...]:
    """In the order of the files, each leading on from the one before. A test compares them with what Alembic reads there.

    Raises:
        ValueError: a file names none.
    """
    files = sorted((FOLDER / "versions").glob("[0-9]*.py"))
    found = [revision for file in files for revision in _NAMED.findall(file.read_text())]
    if len(found) != len(files):
        raise ValueError("each migration has one line `revision = ...`")
    return tuple(found)


def newest_revision() -> str:
    return known_revisions()[-1]


@cache
def older_revisions() -> frozenset[str]:
    """Those on which this release can't serve: left behind, or retired. One that it does not know is of a later release."""
    return frozenset(known_revisions()[:-1]) | RETIRED
