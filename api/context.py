"""What the API is made of, put together once in the composition root."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import Request

from api.auth.jwks import KeySet
from api.auth.tokens import TokenVerifier
from api.http.limits import RateLimits
from models.db.session import Database
from models.people.merchants import DIRECTORY


@dataclass(frozen=True)
class Context:
    """``now`` is the one clock of the edge: tests move it. ``signing_keys`` are the newest first. ``known_merchants`` are those that were
    found to exist: none is ever removed. The directory is there always. ``workflows_url`` is the Temporal UI's list of workflows, if there
    is a UI.
    """

    database: Database
    keys: KeySet
    verifier: TokenVerifier
    trigger_relay: Callable[[], None]
    temporal_answers: Callable[[], Awaitable[bool]]
    now: Callable[[], datetime]
    signing_keys: tuple[str, ...]
    rate_limits: RateLimits
    workflows_url: str | None
    known_merchants: set[int] = field(default_factory=lambda: {DIRECTORY})


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context
