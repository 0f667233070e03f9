"""Work over many tickets, as clients see it."""

from datetime import datetime
from typing import Any

from api.views import Id, View
from models.tables.job import JobKind, JobStatus


class JobView(View):
    """``request`` says what was wanted. ``changed`` counts tickets; of ``breached`` (timed so that a metric is overdue at once) and of
    ``failed``, ``result`` names up to 200."""

    id: Id
    kind: JobKind
    status: JobStatus
    request: dict[str, Any]
    total: int
    done: int
    changed: int
    breached: int
    failed: int
    result: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
