"""What has a version: its ETag, and If-Match."""

from collections.abc import Mapping

from fastapi import Response

from api.http.headers import etag, matches
from api.http.responses import ResponseBody, respond
from models.errors import PreconditionFailed


class Versioned(ResponseBody):
    version: int


def respond_versioned(shown: Versioned, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return respond(shown, status, {"ETag": etag(shown.version), **(headers or {})})


def require_match(shown: Versioned, if_match: str | None) -> None:
    """Raises: PreconditionFailed: the client saw another version than the one that is ``shown``; it gets this one."""
    if not matches(if_match, etag(shown.version)):
        raise PreconditionFailed(current=shown.model_dump(mode="json", by_alias=True))
