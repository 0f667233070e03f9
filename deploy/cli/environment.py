"""The settings of a command that needs more than the API: those of the environment, or on the machine of a local system this one's."""

import os
from importlib.util import find_spec
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.cli.verb import CommandError, ExitCode
from models.platform.settings import PREFIX, explain

_S = TypeVar("_S", bound=BaseSettings)


def read(kind: type[_S]) -> _S:
    """Raises: CommandError: they are not valid; it names all that is wrong."""
    use_local()
    try:
        return kind()
    except ValidationError as error:
        raise CommandError(explain(error), ExitCode.WRONG) from None


def use_local() -> None:
    """Where no database is named, take the settings of the local system, if there is one here, for those that are not set."""
    if any(name.startswith(f"{PREFIX}DATABASE_") for name in os.environ) or find_spec("deploy.local") is None:
        return
    from deploy.local.layout import read_layout
    from deploy.local.postgres import EmbeddedPostgres

    layout = read_layout()
    if (layout.var / "postgres").is_dir():
        local = layout.environment(EmbeddedPostgres(layout.var / "postgres", log=layout.log("postgres")))
        os.environ.update(local | os.environ)
