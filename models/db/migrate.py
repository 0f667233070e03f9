"""The schema's history, by Alembic. ``upgrade`` may run twice, or twice at once: the second waits for the first and finds nothing to do."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_FOLDER = Path(__file__).with_name("migrations")


def upgrade(owner_url: str) -> None:
    """Bring the schema to the newest revision, in one transaction."""
    command.upgrade(configuration(owner_url), "head")


@cache
def newest_revision() -> str:
    revision = ScriptDirectory(str(_FOLDER)).get_current_head()
    assert revision is not None  # noqa: S101 - the folder holds at least one
    return revision


@cache
def older_revisions() -> frozenset[str]:
    """Those that this release knows and has left behind. One that it does not know is of a later release."""
    known = ScriptDirectory(str(_FOLDER)).walk_revisions()
    return frozenset(each.revision for each in known) - {newest_revision()}


def configuration(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["owner_url"] = owner_url
    return config
