"""Merchants: made, listed, closed and reopened by operators; each edited by its admins.

A token sees the merchant that it acts for, and no other; only the list is of all merchants.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import allow
from api.http.headers import IfMatch, NeededIfMatch
from api.http.pagination import After, Limit, Order, Page, Paged
from api.http.path import MerchantId
from api.http.responses import Id, location
from api.http.transaction import CurrentChange, CurrentTransaction, Session, TransactionRoute
from api.http.versions import Versioned, require_match, respond_versioned
from api.tickets.requests import Name, Tag
from models.db.session import TenantSession, locked
from models.errors import NotFound
from models.people import merchants as verbs
from models.people.audit import edit
from models.people.merchants import Listed, Locale, NewMerchant, TimeZone
from models.people.permissions import Permission
from models.people.tables import Merchant
from models.tickets.lifecycle import Priority
from models.value import Value

router = APIRouter(prefix="/merchants", tags=["merchants"], route_class=TransactionRoute)
Window = Annotated[int, Field(strict=True, ge=0, le=365 * 86_400)]


class CreateMerchant(NewMerchant):
    """``slug`` is unique and stays. ``timeZone`` (an IANA name) is that of the first calendar."""

    name: Name


class EditMerchant(Value):
    """A JSON merge patch (RFC 7396): what is left out stays. A window counts, in seconds, from the resolution of a ticket."""

    name: Name = ""
    time_zone: TimeZone = "UTC"
    locale: Locale = "en"
    survey_after_seconds: Window = 0
    auto_close_after_seconds: Window = 0
    reopen_within_seconds: Window = 0
    reporter_priority_limit: Priority = Priority.HIGH

    @property
    def changes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class MerchantQuery(Value):
    """The pager reads the last two by itself."""

    slug: Annotated[Tag | None, Field(description="only the one with this slug")] = None
    limit: Limit = 50
    after: After = None


class MerchantResponse(Versioned):
    """A merchant with ``closedAt`` takes no new ticket. Later than ``reopenWithinSeconds`` after its resolution, a reporter's reply opens a
    follow-up. ``reporterPriorityLimit`` is the highest priority that a reporter may give to a ticket."""

    id: Id
    slug: str
    name: str
    time_zone: str
    locale: str
    survey_after_seconds: int
    auto_close_after_seconds: int
    reopen_within_seconds: int
    reporter_priority_limit: Priority
    created_at: datetime
    closed_at: datetime | None


@router.get("", response_model=Page[MerchantResponse], dependencies=[allow(Permission.LIST_MERCHANTS)])
async def list_merchants(session: Session, pager: Paged, wanted: Annotated[MerchantQuery, Query()]) -> Response:
    """All merchants, in the order of their making. Needs a token for all of them; X-Merchant-Id is not needed."""
    merchants = sa.select(Listed) if wanted.slug is None else sa.select(Listed).where(col(Listed.slug) == wanted.slug)
    rows, end = await pager.page(session, merchants, Order(Listed.id, Listed.id))
    return pager.respond([MerchantResponse.model_validate(row) for row in rows], end)


@router.post("", status_code=201, response_model=MerchantResponse, dependencies=[allow(Permission.CREATE_MERCHANT)])
async def create_merchant(body: CreateMerchant, session: Session, change: CurrentChange) -> Response:
    """Make a merchant that takes tickets at once: it has a team, a category, a calendar that is always open, a policy and a ladder.

    Agents are added by POST /agents. Needs a token for all merchants; X-Merchant-Id is not needed. Another merchant's slug is refused
    (409 ``slug_taken``).
    """
    merchant = await verbs.create_merchant(session, body, change)
    return _respond(merchant, 201, location(f"/merchants/{merchant.id}"))


@router.get("/{merchant_id}", response_model=MerchantResponse, dependencies=[allow(Permission.READ_MERCHANT)])
async def get_merchant(merchant_id: MerchantId, session: Session) -> Response:
    """The merchant that the token acts for."""
    return _respond(await _found(session, _own(session, merchant_id)))


@router.patch("/{merchant_id}", response_model=MerchantResponse, dependencies=[allow(Permission.EDIT_MERCHANT)])
async def edit_merchant(merchant_id: MerchantId, body: EditMerchant, transaction: CurrentTransaction, if_match: NeededIfMatch) -> Response:
    """A change applies to what is resolved from then on: what was resolved before keeps its instants."""
    merchant = await _held(transaction.session, merchant_id, if_match)
    await edit(transaction.session, merchant, body.changes, await transaction.change(), "merchant.edited")
    return _respond(merchant)


@router.post("/{merchant_id}/close", response_model=MerchantResponse, dependencies=[allow(Permission.CLOSE_MERCHANT)])
async def close_merchant(merchant_id: MerchantId, transaction: CurrentTransaction, if_match: IfMatch = None) -> Response:
    """Close the merchant: no ticket is opened any more (409 ``merchant_closed``), also no follow-up. Its tickets go on: they are replied
    to, their deadlines run, and people read them. To close it again changes nothing."""
    merchant = await _held(transaction.session, merchant_id, if_match)
    await verbs.close_merchant(transaction.session, merchant, await transaction.change())
    return _respond(merchant)


@router.post("/{merchant_id}/reopen", response_model=MerchantResponse, dependencies=[allow(Permission.CLOSE_MERCHANT)])
async def reopen_merchant(merchant_id: MerchantId, transaction: CurrentTransaction, if_match: IfMatch = None) -> Response:
    """Let a closed merchant take new tickets again."""
    merchant = await _held(transaction.session, merchant_id, if_match)
    await verbs.reopen_merchant(transaction.session, merchant, await transaction.change())
    return _respond(merchant)


async def _held(session: TenantSession, merchant_id: int, if_match: str | None) -> Merchant:
    """Locked: of two who edit it, neither overwrites what they did not see."""
    merchant = await _found(session, locked(_own(session, merchant_id)))
    require_match(MerchantResponse.model_validate(merchant), if_match)
    return merchant


def _own(session: TenantSession, merchant_id: int) -> Select[Merchant]:
    return sa.select(Merchant).where(col(Merchant.id) == merchant_id, col(Merchant.id) == session.merchant_id)


async def _found(session: TenantSession, wanted: Select[Merchant]) -> Merchant:
    merchant = (await session.execute(wanted)).scalar_one_or_none()
    if merchant is None:
        raise NotFound("merchant")
    return merchant


def _respond(merchant: Merchant, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return respond_versioned(MerchantResponse.model_validate(merchant), status, headers)
