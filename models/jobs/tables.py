"""Work over many tickets, notifications or merchants, with its progress."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Index
from sqlalchemy import text as sql

from models.db.base import Row, big, choice, document, instant, text


class JobKind(StrEnum):
    RECALCULATION = "recalculation"
    PREVIEW = "preview"
    SLA_CHECK = "sla_check"
    ALL_SLA_CHECKS = "all_sla_checks"  # begins a check in each merchant; a job of no merchant
    NOTIFICATION_REPLAY = "notification_replay"
    HANDOVER = "handover"


URGENT: Final = frozenset({JobKind.SLA_CHECK, JobKind.ALL_SLA_CHECKS, JobKind.NOTIFICATION_REPLAY})
"""People wait for what these mend: they come before other jobs, and are counted by themselves."""


class JobStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class Job(Row, table=True):
    """``cursor`` is the last one that was looked at: it moves in the transaction of the work itself, so nothing is done twice.

    ``request`` says what is wanted, ``result`` what was found beyond the counts; ``version`` grows with each word to its workflow.
    """

    __table_args__ = (
        Index("ix_job_created", "merchant_id", "created_at", "id"),
        Index("ix_job_running", "updated_at", postgresql_where=sql("status = 'running'")),
    )

    kind: JobKind = choice(JobKind)
    status: JobStatus = choice(JobStatus, JobStatus.RUNNING)
    request: dict[str, Any] = document()
    result: dict[str, Any] = document()
    total: int = 0
    done: int = 0
    changed: int = 0
    breached: int = 0
    failed: int = 0
    cursor: int = big()
    version: int = 1
    created_by: str = text()
    created_at: datetime = instant()
    updated_at: datetime = instant()
    finished_at: datetime | None = instant(nullable=True)
