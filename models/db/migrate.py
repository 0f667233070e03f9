"""The schema's history, by Alembic. ``upgrade`` may run twice, or twice at once: the second waits for the first and finds nothing to do."""

from alembic import command
from alembic.config import Config

from models.db.revisions import FOLDER, RETIRED, known_revisions


class UnknownRevisionError(Exception):
    """The database is at a revision that leads nowhere from here. Nothing was changed."""


def upgrade(owner_url: str) -> None:
    """Bring the schema to the newest revision, in one transaction.

    Raises:
        UnknownRevisionError: the database is of a later release, or of none.
    """
    command.upgrade(configuration(owner_url), "head")


def require_known(revision: str | None) -> None:
    """Raises: UnknownRevisionError: no migration leads on from ``revision``; says what to do. None is an empty database."""
    if revision in RETIRED:
        raise UnknownRevisionError(f"the schema's revision {revision} is retired: make a new database and migrate that (here: make fresh)")
    if revision is not None and revision not in known_revisions():
        raise UnknownRevisionError(f"the schema's revision {revision} is of a later release: migrate with that release")


def configuration(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["owner_url"] = owner_url
    return config
