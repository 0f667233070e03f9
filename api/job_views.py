"""Work over many tickets, as clients see it."""

from datetime import datetime
from typing import Any

from api.tickets.responses import Id, View
from models.jobs.tables import JobKind, JobStatus


class JobView(View):
    """``request`` says what was wanted. ``changed`` counts tickets: moved to another version, or acted on by a check; ``breached`` those
    with a metric that is overdue by the move. ``result`` names up to 200 of the overdue and of the failed ones."""

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
