"""The SLA: its configuration by version, the clocks, their ledger, and the rungs that were taken."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Computed, Index, Integer, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.db.base import Row, as_text, big, choice, document, duration, instant, of_ticket, text
from models.sla.clock import Clock
from models.sla.policy import Metric
from models.tickets.lifecycle import Priority


class ConfigurationKind(StrEnum):
    CALENDAR = "calendar"
    POLICY = "policy"
    LADDER = "ladder"


class ConfigurationVersion(Row, table=True):
    """One version of a calendar, an SLA policy or a ladder. A version is never changed: a change is a new version."""

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: ConfigurationKind = choice(ConfigurationKind)
    definition: dict[str, Any] = document()
    created_at: datetime = instant()
    created_by: str = text("system//helpdesk")
    """Who published it, as kind/id/name."""
    size: int | None = Field(
        default=None, sa_type=Integer, sa_column_args=(Computed("octet_length(definition::text)", persisted=True),), nullable=False
    )
    """Bytes of the definition."""


_REPORTED = ["attributed_team_id", "attributed_agent_id", "attributed_organizer_id", "metric", "attributed_priority"]
"""A report is answered from the index alone."""


class SlaClock(SQLModel, table=True):
    """The fields of :class:`models.sla.clock.Clock`, for one metric and cycle of a ticket, and how reports attribute it.

    ``attributed_*`` say whose figure the cycle is: the ticket's traits at ``attributed_at``, when it was breached, or else met.
    They are out of date while ``attributed_at`` is null. ``used_seconds`` is what the cycle had spent when it was stopped.
    """

    __table_args__ = (
        of_ticket(),
        Index(
            "ix_slaclock_breached",
            "merchant_id",
            "breached_at",
            postgresql_where=sql("breached_at IS NOT NULL"),
            postgresql_include=_REPORTED,
        ),
        Index(
            "ix_slaclock_stopped",
            "merchant_id",
            "stopped_at",
            postgresql_where=sql("stopped_at IS NOT NULL"),
            postgresql_include=["used_seconds", *_REPORTED, "breached_at"],
        ),
    )

    merchant_id: int = Field(sa_type=BigInteger, primary_key=True)
    ticket_id: int = Field(sa_type=BigInteger, primary_key=True)
    metric: Metric = Field(sa_type=as_text(Metric), primary_key=True)
    cycle: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    target: timedelta = duration()
    spent: timedelta = duration()
    running_since: datetime | None = instant(nullable=True)
    started_at: datetime | None = instant(nullable=True)
    due_at: datetime | None = instant(nullable=True)
    paused_at: datetime | None = instant(nullable=True)
    warned_fraction: float = 0
    breached_at: datetime | None = instant(nullable=True)
    stopped_at: datetime | None = instant(nullable=True)
    cancelled_at: datetime | None = instant(nullable=True)
    is_withdrawn: bool = False
    reached: dict[str, str] = document()
    is_acknowledged: bool = False
    policy_id: int | None = big(nullable=True)
    policy_version: int | None = None
    attributed_at: datetime | None = instant(nullable=True)
    attributed_priority: Priority | None = choice(Priority, nullable=True)
    attributed_team_id: int | None = big(nullable=True)
    attributed_agent_id: int | None = big(nullable=True)
    attributed_organizer_id: int | None = big(nullable=True)
    used_seconds: int | None = None


_CLOCK_FIELDS = set(Clock.model_fields)


def clock_of(row: SlaClock) -> Clock:
    return Clock.model_validate(row.model_dump(include=_CLOCK_FIELDS))


class LedgerEntry(Row, table=True):
    """Append-only: what happened to a clock, when and why, and what had been spent by then."""

    __table_args__ = (of_ticket(), Index("ix_ledgerentry_ticket", "merchant_id", "ticket_id", "id"))

    ticket_id: int = big()
    metric: Metric = choice(Metric)
    cycle: int
    kind: str = text()
    reason: str = text()
    actor_kind: str = text()
    actor_id: int | None = big(nullable=True)
    at: datetime = instant()
    spent: timedelta = duration()
    target: timedelta = duration()
    due_at: datetime | None = instant(nullable=True)
    is_running: bool
    policy_id: int | None = big(nullable=True)
    policy_version: int | None = None
    calendar_version: int | None = None


class EscalationCause(StrEnum):
    DEADLINE = "deadline"
    MANUAL = "manual"


class EscalationOutcome(StrEnum):
    REASSIGNED = "reassigned"
    NOTIFIED = "notified"
    NO_TARGET = "no_target"
    SUPERSEDED = "superseded"


class Escalation(Row, table=True):
    """A rung that was taken. The unique key is the last word on «at most once a cycle»; a manual one has no cycle to collide in."""

    __table_args__ = (of_ticket(), UniqueConstraint("merchant_id", "ticket_id", "metric", "cycle", "level"))

    ticket_id: int = big()
    level: int
    metric: Metric | None = choice(Metric, nullable=True)
    cycle: int | None = None
    cause: EscalationCause = choice(EscalationCause)
    reason: str | None = text(nullable=True)
    due_at: datetime | None = instant(nullable=True)
    taken_at: datetime = instant()
    from_agent_id: int | None = big(nullable=True)
    to_agent_id: int | None = big(nullable=True)
    outcome: EscalationOutcome = choice(EscalationOutcome)
    acknowledged_by: int | None = big(nullable=True)
    acknowledged_at: datetime | None = instant(nullable=True)
