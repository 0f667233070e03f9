"""What a ticket's workflow is sent, and what it asks of the activities."""

from datetime import datetime

from models.payload import Payload
from models.sla.clock import ClockStatus
from models.sla.deadlines import BREACH, Deadline
from models.sla.policy import Metric
from models.tickets.lifecycle import Priority, Status
from models.value import Open

WORKFLOW = "Ticket"
ADOPT = "adopt"
TASK_QUEUE = "tickets"
ASSIGN = "ticket.assign"
RUN_DUE_DEADLINES = "ticket.run_due_deadlines"
SHOWN = 10
"""Of the missed targets, and of the rungs that were taken, so many are shown to the operator: the latest."""


class TicketRef(Payload):
    merchant_id: int
    ticket_id: int

    @property
    def workflow_id(self) -> str:
        return f"ticket-{self.ticket_id}"


class MissedTarget(Payload):
    """A cycle of a metric that was breached, and since when it is late."""

    metric: Open[Metric]
    cycle: int
    since: datetime


class TakenRung(Payload):
    """A rung that was taken. ``outcome`` is an ``EscalationOutcome``; ``metric`` is None of one that a person asked for without a clock."""

    level: int
    metric: Open[Metric] | None
    taken_at: datetime
    outcome: str
    to_agent_id: int | None = None


class NobodyFree(Payload):
    """Why an assignment found nobody: so many agents of the team were away, off shift, had as many tickets as they may have, or were free
    and had not the skills that the category asks for."""

    at: datetime
    away: int
    full: int
    off_shift: int = 0
    unskilled: int = 0


class TicketFacts(TicketRef):
    """The state of a ticket as far as time is concerned. ``version`` grows with every change of it: the newer one wins.

    ``has_ended``: nothing is left to wait for; it is closed, deleted or merged. ``request_id`` is the request that caused the change.
    ``deadline_kinds`` are those that the release which wrote the facts knows: it says nothing about deadlines of any other kind.
    What follows them is for the operator's eye alone: nothing is decided by it. ``missed`` and ``rungs`` say what the writer has read, the
    workflow keeps what it was told before.
    """

    version: int
    number: int
    status: Open[Status]
    priority: Open[Priority]
    sla_status: Open[ClockStatus] | None
    escalation_level: int
    is_assigned: bool
    deadlines: tuple[Deadline, ...]
    has_ended: bool = False
    request_id: str | None = None
    deadline_kinds: tuple[str, ...] = ()
    merchant_slug: str = ""
    category: str | None = None
    agent_id: int | None = None
    team_id: int | None = None
    missed: tuple[MissedTarget, ...] = ()
    rungs: tuple[TakenRung, ...] = ()
    nobody_free: NobodyFree | None = None

    @property
    def next_due_at(self) -> datetime | None:
        """When the next clock exceeds its target."""
        return min((deadline.due_at for deadline in self.deadlines if deadline.kind == BREACH), default=None)


class TicketLife(Payload):
    """The one state of a ticket's workflow: what it starts with and what it continues as new with."""

    facts: TicketFacts
    is_taken_in: bool = False


class At(TicketRef):
    """An activity's request: act on this ticket, as of the workflow's own instant."""

    at: datetime
    request_id: str | None = None
