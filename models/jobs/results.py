"""What a job found beyond its counts."""

from collections.abc import Sequence
from typing import Final

from models.jobs.tables import Job

NAMED: Final = 200
"""How many things a job names in its result, of a kind."""


def name_ids(job: Job, what: str, ids: Sequence[int]) -> None:
    """Replaced, not changed in place: only so does the session see it."""
    if ids:
        named = [*job.result.get(what, []), *map(str, ids)][:NAMED]
        job.result = {**job.result, what: named}
