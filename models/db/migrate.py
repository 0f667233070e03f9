"""The schema's history, by Alembic. ``upgrade`` may run twice, or twice at once: the second waits for the first and finds nothing to do."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_FOLDER = Path(__file__).with_name("migrations")
_RETIRED = frozenset({"0001", "0002"})
"""They were edited while nothing was in production: what such a database holds, nobody knows. docs/decisions/0023-landed-migrations.md"""


class UnknownRevisionError(Exception):
    """The database is at a revision that leads nowhere from here. Nothing was changed."""


def upgrade(owner_url: str) -> None:
    """Bring the schema to the newest revision, in one transaction.

    Raises:
        UnknownRevisionError: the database is of a later release, or of none.
    """
    command.upgrade(configuration(owner_url), "head")


@cache
def newest_revision() -> str:
    revision = ScriptDirectory(str(_FOLDER)).get_current_head()
    assert revision is not None  # noqa: S101 - the folder holds at least one
    return revision


@cache
def older_revisions() -> frozenset[str]:
    """Those on which this release can't serve: left behind, or retired. One that it does not know is of a later release."""
    return _known() - {newest_revision()} | _RETIRED


def require_known(revision: str | None) -> None:
    """Raises: UnknownRevisionError: no migration leads on from ``revision``; says what to do. None is an empty database."""
    if revision in _RETIRED:
        raise UnknownRevisionError(f"the schema's revision {revision} is retired: make a new database and migrate that (here: make fresh)")
    if revision is not None and revision not in _known():
        raise UnknownRevisionError(f"the schema's revision {revision} is of a later release: migrate with that release")


def _known() -> frozenset[str]:
    return frozenset(each.revision for each in ScriptDirectory(str(_FOLDER)).walk_revisions())


def configuration(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["owner_url"] = owner_url
    return config
