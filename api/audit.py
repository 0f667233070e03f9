"""What was changed outside tickets, and by whom."""

from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from sqlmodel import col

from api.auth.caller import allow
from api.http.pagination import Order, Page, Paged
from api.http.responses import ID, Id, ResponseBody
from api.http.transaction import Session, TransactionRoute
from api.tickets.requests import Instant
from api.tickets.responses import ActorResponse
from models.audit import Actor
from models.people.permissions import Permission
from models.people.tables import AuditEntry

router = APIRouter(tags=["audit"], route_class=TransactionRoute)
ActorId = Annotated[str | None, Query(max_length=19, pattern=ID["pattern"], description="the agent who did it")]
Kind = Annotated[str | None, Query(max_length=100, description="for example `agent.created`")]


class AuditEntryResponse(ResponseBody):
    """``changes`` maps a field to what it was and what it is; ``subjectId`` is what was changed."""

    id: Id
    at: datetime
    actor: ActorResponse
    kind: str
    subject_id: Id | None
    changes: dict[str, Any]
    request_id: str | None


@router.get("/audit", response_model=Page[AuditEntryResponse], dependencies=[allow(Permission.READ_AUDIT)])
async def list_audit(
    session: Session,
    pager: Paged,
    actor_id: Annotated[ActorId, Query(alias="actorId")] = None,
    kind: Kind = None,
    since: Instant | None = None,
) -> Response:
    """Every change outside tickets, the newest first: of the merchant, its teams, categories and agents, what was published of its SLA
    configuration, which jobs were begun and steered, and who replayed. Append-only."""
    entries = sa.select(AuditEntry).where(col(AuditEntry.merchant_id) == session.merchant_id)
    if actor_id is not None:
        entries = entries.where(sa.func.split_part(AuditEntry.actor, "/", 2) == actor_id)
    if kind is not None:
        entries = entries.where(col(AuditEntry.kind) == kind)
    if since is not None:
        entries = entries.where(col(AuditEntry.at) >= since)
    rows, end = await pager.page(session, entries, Order(AuditEntry.id, AuditEntry.id, is_descending=True))
    return pager.respond([_shown(row) for row in rows], end)


def _shown(row: AuditEntry) -> AuditEntryResponse:
    return AuditEntryResponse(**row.model_dump(exclude={"merchant_id", "actor"}), actor=Actor.of_text(row.actor))
