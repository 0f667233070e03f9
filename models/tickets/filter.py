"""Which tickets a job looks at: those that were open when it began, or those of them that it was asked for."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Select
from sqlalchemy.orm import defer
from sqlmodel import col

from models.db.session import TenantSession
from models.sla.clock import ClockStatus
from models.tickets.assign import working
from models.tickets.lifecycle import Priority, Status
from models.tickets.tables import Ticket
from models.value import Value

_WITHOUT_TEXTS = tuple(defer(getattr(Ticket, name), raiseload=True) for name in ("description", "custom_fields"))


class Handed(StrEnum):
    """Which of an agent's tickets are handed over."""

    AT_RISK = "at_risk"  # a target is missed already, or a warning was given
    ALL = "all"


class Conditions(Protocol):
    """What a ticket may be chosen by. An empty one lets every ticket through."""

    @property
    def status(self) -> Sequence[Status]: ...
    @property
    def priority(self) -> Sequence[Priority]: ...
    @property
    def category(self) -> Sequence[str]: ...
    @property
    def team_id(self) -> int | None: ...
    @property
    def organizer_id(self) -> int | None: ...
    @property
    def tag(self) -> Sequence[str]: ...


class Filter(Value):
    status: tuple[Status, ...] = ()
    priority: tuple[Priority, ...] = ()
    category: tuple[str, ...] = ()
    team_id: int | None = None
    organizer_id: int | None = None
    tag: tuple[str, ...] = ()


def having(said: Conditions) -> list[Any]:
    """Conditions: of status, priority and category any value may hold; of tags each must."""
    ticket: Any = Ticket
    one = {"team_id": said.team_id, "organizer_id": said.organizer_id}
    several = {"status": said.status, "priority": said.priority, "category": said.category}
    conditions = [getattr(ticket, name) == value for name, value in one.items() if value is not None]
    conditions += [getattr(ticket, name).in_(values) for name, values in several.items() if values]
    return conditions + [ticket.tags.contains([tag]) for tag in said.tag]


def tickets_of(session: TenantSession, request: dict[str, Any], cursor: int) -> Select[Ticket]:
    """What is left to look at, by id: of all that were there when the job began. Without what may be long and decides nothing."""
    mine = (col(Ticket.merchant_id) == session.merchant_id) & working()
    left = (col(Ticket.id) > cursor) & (col(Ticket.id) <= int(request["lastTicketId"]))
    found = sa.select(Ticket).where(mine, left).order_by(col(Ticket.id)).options(*_WITHOUT_TEXTS)
    if request.get("agentId"):
        return found.where(*_of_agent(int(request["agentId"]), Handed(request["tickets"])))
    if request.get("ticketId"):
        return found.where(col(Ticket.id) == int(request["ticketId"]))
    return found.where(*having(Filter.model_validate(request.get("filter", {}))))


def _of_agent(agent_id: int, handed: Handed) -> list[Any]:
    theirs = [col(Ticket.assignee_id) == agent_id]
    return theirs if handed is Handed.ALL else [*theirs, col(Ticket.sla_status).in_((ClockStatus.IMMINENT, ClockStatus.BREACHED))]
