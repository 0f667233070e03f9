"""How lists of tickets are narrowed down and ordered."""

from enum import StrEnum
from typing import Annotated, Any, cast

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import defer
from sqlmodel import col

from api.http.pagination import LIMIT, Order, bytes_of
from api.tickets.requests import Id, Instant
from models.db.session import TenantSession
from models.errors import Forbidden
from models.people.tables import Agent
from models.sla.clock import ClockStatus, SlaStatus
from models.tickets.filter import having
from models.tickets.lifecycle import Priority, Status
from models.tickets.search import with_words
from models.tickets.tables import Ticket
from models.tickets.visibility import Viewer, readable, readable_with_deleted
from models.value import AtMost


class Sort(StrEnum):
    CREATED = "createdAt"
    CREATED_LAST_FIRST = "-createdAt"
    UPDATED = "updatedAt"
    UPDATED_LAST_FIRST = "-updatedAt"
    DUE = "nextDueAt"
    DUE_LAST_FIRST = "-nextDueAt"
    PRIORITY = "priority"
    PRIORITY_HIGHEST_FIRST = "-priority"


def split(value: Any) -> Any:
    """``open,pending`` and ``open&status=pending`` mean the same, and a value that comes twice is one."""
    if not isinstance(value, list):
        return value
    return list(dict.fromkeys(part for text in value for part in str(text).split(",")))


FEW = 50
"""So many different values a filter may have."""
_Texts = Annotated[list[Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")]], AtMost(FEW), BeforeValidator(split)]

_OF_STAFF = frozenset({"assignee_id", "team_id", "escalation_level", "sla_status"})


class TicketFilter(BaseModel):
    """Of one filter any value may hold, of several all must."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)

    status: Annotated[list[Status], AtMost(FEW), BeforeValidator(split)] = []
    priority: Annotated[list[Priority], AtMost(FEW), BeforeValidator(split)] = []
    category: _Texts = []
    number: Annotated[int | None, Field(ge=1, lt=2**63, description="the ticket's number within its merchant")] = None
    assignee_id: Annotated[str | None, Field(pattern=r"^([1-9][0-9]{0,18}|none|me)$")] = None
    team_id: Id | None = None
    reporter_id: Id | None = None
    organizer_id: Id | None = None
    tag: _Texts = []
    sla_status: Annotated[list[SlaStatus], AtMost(FEW), BeforeValidator(split)] = []
    escalation_level: Annotated[int | None, Field(ge=0, le=3)] = None
    created_since: Instant | None = None
    updated_since: Instant | None = None
    q: Annotated[str | None, Field(max_length=500, pattern=r"^[^\x00]*$")] = None
    include_deleted: bool = False

    async def apply(self, session: TenantSession, viewer: Viewer) -> Select[Ticket]:
        if self.include_deleted and not viewer.sees_deleted:
            raise Forbidden("Only an admin sees deleted tickets.")
        if not viewer.is_staff and self.model_fields_set & _OF_STAFF:
            raise Forbidden("Only those who work on tickets search by what only they see.")
        tickets = readable_with_deleted(viewer) if self.include_deleted else readable(viewer)
        return tickets.where(*self._conditions(viewer), *([await with_words(session, self.q)] if self.q else []))

    def _conditions(self, viewer: Viewer) -> list[Any]:
        ticket: Any = Ticket
        one = {"number": self.number, "reporter_id": self.reporter_id, "escalation_level": self.escalation_level}
        conditions = having(self) + [getattr(ticket, name) == value for name, value in one.items() if value is not None]
        conditions += [ticket.created_at >= self.created_since] if self.created_since else []
        conditions += [_updated_at(viewer) >= self.updated_since] if self.updated_since else []
        return conditions + self._of_sla() + self._of_assignee(viewer)

    def _of_sla(self) -> list[Any]:
        if not self.sla_status:
            return []
        column: Any = Ticket.sla_status
        known = [ClockStatus(status) for status in self.sla_status if status is not SlaStatus.NONE]
        return [column.in_(known) | (column.is_(None) if SlaStatus.NONE in self.sla_status else sa.false())]

    def _of_assignee(self, viewer: Viewer) -> list[Any]:
        column: Any = Ticket.assignee_id
        if self.assignee_id is None:
            return []
        if self.assignee_id == "none":
            return [column.is_(None)]
        if self.assignee_id == "me":
            mine = (col(Agent.merchant_id) == viewer.merchant_id) & (col(Agent.sub) == viewer.sub)
            return [column.in_(sa.select(col(Agent.id)).where(mine))]
        return [column == int(self.assignee_id)] if int(self.assignee_id) < 2**63 else [sa.false()]


class Include(StrEnum):
    DESCRIPTION = "description"


def _updated_at(viewer: Viewer) -> Any:
    return Ticket.updated_at if viewer.is_staff else Ticket.public_updated_at


class TicketQuery(TicketFilter):
    sort: Sort = Sort.CREATED_LAST_FIRST
    include: Annotated[list[Include], AtMost(len(Include)), BeforeValidator(split)] = []
    limit: Annotated[int, Field(ge=1, le=100, description=LIMIT)] = 50
    after: Annotated[str | None, Field(max_length=2000)] = None

    async def apply(self, session: TenantSession, viewer: Viewer) -> Select[Ticket]:
        if not viewer.is_staff and self.sort in (Sort.DUE, Sort.DUE_LAST_FIRST):
            raise Forbidden("Only those who work on tickets sort by what only they see.")
        found, unread = await super().apply(session, viewer), cast("Any", Ticket.description)
        return found if self.with_description else found.options(defer(unread, raiseload=True))

    @property
    def with_description(self) -> bool:
        return Include.DESCRIPTION in self.include

    @property
    def size(self) -> ColumnElement[int]:
        """Bytes of what may be long of a ticket in the list."""
        return bytes_of(Ticket.custom_fields, *([Ticket.description] if self.with_description else []))

    def order(self, viewer: Viewer) -> Order:
        name = self.sort.value.lstrip("-")
        columns: dict[str, Any] = {"createdAt": Ticket.created_at, "updatedAt": _updated_at(viewer), "nextDueAt": Ticket.next_due_at}
        return Order(columns.get(name, Ticket.urgency), Ticket.id, self.sort.value.startswith("-"))
