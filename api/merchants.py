"""A merchant: the windows that follow a resolution, and what its reporters may decide.

A token sees the merchant that it acts for, and no other.
"""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import allow
from api.http.headers import IfMatch, etag_of, matches
from api.http.path import MerchantId
from api.http.responses import Id, ResponseBody, respond
from api.http.transaction import Session, TransactionRoute
from api.tickets.requests import Name
from models.db.session import TenantSession, locked
from models.errors import NotFound, PreconditionFailed
from models.people.permissions import Permission
from models.people.tables import Merchant
from models.tickets.lifecycle import Priority
from models.value import Value

router = APIRouter(prefix="/merchants", tags=["merchants"], route_class=TransactionRoute)
Window = Annotated[int, Field(strict=True, ge=0, le=365 * 86_400)]


class EditMerchant(Value):
    """A JSON merge patch (RFC 7396): what is left out stays. A window counts, in seconds, from the resolution of a ticket."""

    name: Name = ""
    survey_after_seconds: Window = 0
    auto_close_after_seconds: Window = 0
    reopen_within_seconds: Window = 0
    reporter_priority_limit: Priority = Priority.HIGH

    @property
    def changes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class MerchantResponse(ResponseBody):
    """Later than ``reopenWithinSeconds`` after its resolution, a reporter's reply opens a follow-up. ``reporterPriorityLimit`` is the
    highest priority that a reporter may give to a ticket."""

    id: Id
    slug: str
    name: str
    survey_after_seconds: int
    auto_close_after_seconds: int
    reopen_within_seconds: int
    reporter_priority_limit: Priority


@router.get("/{merchant_id}", response_model=MerchantResponse, dependencies=[allow(Permission.READ_MERCHANT)])
async def get_merchant(merchant_id: MerchantId, session: Session) -> Response:
    """The merchant that the token acts for."""
    return _respond(await _found(session, _own(session, merchant_id)))


@router.patch("/{merchant_id}", response_model=MerchantResponse, dependencies=[allow(Permission.EDIT_MERCHANT)])
async def edit_merchant(merchant_id: MerchantId, body: EditMerchant, session: Session, if_match: IfMatch = None) -> Response:
    """A change applies to what is resolved from then on: what was resolved before keeps its instants. If-Match may be left out."""
    # Locked: of two who edit it, neither overwrites what they did not see.
    merchant = await _found(session, locked(_own(session, merchant_id)))
    current = MerchantResponse.model_validate(merchant)
    if not matches(if_match, etag_of(current)):
        raise PreconditionFailed(current=current.model_dump(mode="json", by_alias=True))
    merchant.sqlmodel_update(body.changes)
    await session.write()
    return _respond(merchant)


def _own(session: TenantSession, merchant_id: int) -> Select[Merchant]:
    return sa.select(Merchant).where(col(Merchant.id) == merchant_id, col(Merchant.id) == session.merchant_id)


async def _found(session: TenantSession, wanted: Select[Merchant]) -> Merchant:
    merchant = (await session.execute(wanted)).scalar_one_or_none()
    if merchant is None:
        raise NotFound("merchant")
    return merchant


def _respond(merchant: Merchant) -> Response:
    shown = MerchantResponse.model_validate(merchant)
    return respond(shown, headers={"ETag": etag_of(shown)})
