"""If-Match of what has a version."""

from typing import Protocol

from pydantic import BaseModel

from api.http.headers import etag, matches
from models.errors import PreconditionFailed


class Versioned(Protocol):
    @property
    def version(self) -> int: ...

    model_dump = BaseModel.model_dump


def require_match(shown: Versioned, if_match: str | None) -> None:
    """Raises: PreconditionFailed: the client saw another version than the one that is ``shown``; it gets this one."""
    if not matches(if_match, etag(shown.version)):
        raise PreconditionFailed(current=shown.model_dump(mode="json", by_alias=True))
