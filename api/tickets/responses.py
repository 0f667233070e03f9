"""What clients see: camelCase, ids as strings, instants in UTC with Z, durations in whole seconds."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import AttemptOutcome
from models.people.roles import Role
from models.sla.clock import ClockStatus
from models.sla.policy import Metric
from models.sla.tables import EscalationCause, EscalationOutcome
from models.tickets.assignment import Availability
from models.tickets.lifecycle import Channel, Priority, Status

Id = Annotated[int, PlainSerializer(str, return_type=str)]


class View(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class PersonView(View):
    id: Id | None
    name: str
    email: str | None = None


class ReporterTicketView(View):
    """A ticket as its reporter sees it."""

    id: Id
    number: int
    merchant_id: Id
    organizer_id: Id | None
    subject: str
    description: str
    status: Status
    priority: Priority
    category: str | None
    channel: Channel
    tags: list[str]
    custom_fields: dict[str, Any]
    reporter: PersonView
    created_at: datetime
    updated_at: datetime
    first_responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    merged_into_id: Id | None
    follow_up_of_id: Id | None
    version: int


class TicketView(ReporterTicketView):
    """A ticket as those who work on it see it. ``slaStatus`` is the worst of its clocks, ``nextDueAt`` the nearest target."""

    assignee_id: Id | None
    team_id: Id | None
    escalation_level: int
    next_due_at: datetime | None
    sla_status: ClockStatus | str
    snoozed_until: datetime | None
    deleted_at: datetime | None


class CountView(View):
    count: int
    capped: bool


class CommentView(View):
    id: Id
    ticket_id: Id
    kind: str
    author: dict[str, str | None]
    body: str
    created_at: datetime


class EventView(View):
    id: Id
    sequence: int
    at: datetime
    actor: dict[str, str | None]
    kind: str
    changes: dict[str, Any]


class CycleView(View):
    """One clock. ``remainingSeconds`` is negative after a breach."""

    metric: Metric
    cycle: int
    status: ClockStatus
    policy_id: Id | None
    policy_version: int | None
    target_seconds: int
    elapsed_seconds: int
    remaining_seconds: int
    started_at: datetime | None
    due_at: datetime | None
    paused_at: datetime | None
    breached_at: datetime | None
    stopped_at: datetime | None


class SegmentView(View):
    """A stretch of the ledger. ``seconds`` is business time. The segments of a cycle sum to its elapsed time: those from its last
    `restarted` on, if a reopen began it again with nothing spent."""

    metric: Metric
    cycle: int
    state: str
    kind: str
    reason: str
    actor: dict[str, str | None]
    from_: datetime
    to: datetime | None
    seconds: float
    target_seconds: int
    due_at: datetime | None
    policy_id: Id | None
    policy_version: int | None
    calendar_version: int | None

    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")))


class EscalationView(View):
    id: Id
    level: int
    metric: Metric | None
    cause: EscalationCause
    reason: str | None
    due_at: datetime | None
    taken_at: datetime
    from_agent_id: Id | None
    to_agent_id: Id | None
    outcome: EscalationOutcome
    acknowledged_by: Id | None
    acknowledged_at: datetime | None


class AttemptView(View):
    attempt: int
    started_at: datetime
    finished_at: datetime | None
    outcome: AttemptOutcome
    code: int | None
    detail: str | None


class NotificationView(View):
    id: Id
    ticket_id: Id
    kind: NotificationKind
    channel: str
    recipient: PersonView
    status: NotificationStatus
    created_at: datetime
    settled_at: datetime | None
    attempts: list[AttemptView]


class AgentView(View):
    id: Id
    sub: str
    name: str
    email: str
    role: Role
    team_id: Id
    capacity: int
    availability: Availability
    away_until: datetime | None


class MeView(View):
    sub: str
    name: str | None
    email: str | None
    roles: list[Role]
    merchant_id: Id
    agent_id: Id | None


class SurveyView(View):
    ticket_number: int
    merchant_name: str
    state: str
    expires_at: datetime
    score: int | None
    comment: str | None


class ContextView(View):
    """``context`` is null until it was gathered."""

    context: dict[str, Any] | None
