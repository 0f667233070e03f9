"""The log of what was refused: one line for each, of a flood a few a second and how many more there were.

A line says the subject, the merchant, the route by its template and the reason; never the path as it was sent, a token or an address.
"""

import asyncio
from collections import Counter
from hashlib import sha256
from typing import Any, Final

import structlog
from starlette.types import Scope

REFUSED: Final = frozenset({401, 403, 404, 429})
LINES_A_SECOND: Final = 20
"""Of each status: what floods is not what hides the others."""
log = structlog.get_logger()


class Refusals:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._seen: Counter[int] = Counter()

    def log(self, scope: Scope, status: int, about: dict[str, Any]) -> None:
        """``about`` is what the log says of every request."""
        if not self._seen:
            asyncio.get_running_loop().call_later(1, self._begin_anew)
        self._seen[status] += 1
        if self._seen[status] <= LINES_A_SECOND:
            log.info("request", **about, subject=_shown(scope.get("subject")), reason=scope.get("refused_for"))

    def _begin_anew(self) -> None:
        for status, seen in self._seen.items():
            if seen > LINES_A_SECOND:
                log.warning("request.refusals_left_out", status=status, count=seen - LINES_A_SECOND, seconds=1)
        self._seen.clear()


def _shown(subject: str | None) -> str | None:
    """Some identity services take the address for the subject: then its digest tells one from another."""
    return subject if subject is None or "@" not in subject else sha256(subject.encode()).hexdigest()[:16]
