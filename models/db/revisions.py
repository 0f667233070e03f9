"""The schema's revisions, by the names of their files: an API that looks whether the schema is its own needs no Alembic for that."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("migrations")
RETIRED = frozenset({"0001", "0002"})
"""They were edited while nothing was in production: what such a database holds, nobody knows. docs/decisions/0023-landed-migrations.md"""


@cache
def known_revisions() -> tuple[str, ...]:
    """In their order: each leads on from the one before. A test compares them with what Alembic reads in the files."""
    return tuple(sorted(file.name.partition("_")[0] for file in (FOLDER / "versions").glob("[0-9]*.py")))


def newest_revision() -> str:
    return known_revisions()[-1]


@cache
def older_revisions() -> frozenset[str]:
    """Those on which this release can't serve: left behind, or retired. One that it does not know is of a later release."""
    return frozenset(known_revisions()[:-1]) | RETIRED
