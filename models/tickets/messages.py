"""What a ticket's workflow is sent, and what it asks of the activities."""

from datetime import datetime

from models.payload import Payload
from models.sla.clock import ClockStatus
from models.sla.deadlines import Deadline
from models.tickets.lifecycle import Priority, Status
from models.value import Open

WORKFLOW = "Ticket"
ADOPT = "adopt"
TASK_QUEUE = "tickets"
ASSIGN = "ticket.assign"
ENRICH = "ticket.enrich"
RUN_DUE_DEADLINES = "ticket.run_due_deadlines"


class TicketRef(Payload):
    merchant_id: int
    ticket_id: int

    @property
    def workflow_id(self) -> str:
        return f"ticket-{self.ticket_id}"


class TicketFacts(TicketRef):
    """The state of a ticket as far as time is concerned. ``version`` grows with every change of it: the newer one wins.

    ``has_ended``: nothing is left to wait for; it is closed, deleted or merged. ``request_id`` is the request that caused the change.
    ``deadline_kinds`` are those that the release which wrote the facts knows: it says nothing about deadlines of any other kind.
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


class TicketLife(Payload):
    """The one state of a ticket's workflow: what it starts with and what it continues as new with."""

    facts: TicketFacts
    is_taken_in: bool = False


class At(TicketRef):
    """An activity's request: act on this ticket, as of the workflow's own instant."""

    at: datetime
    request_id: str | None = None
