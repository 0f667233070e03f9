"""A merchant, and the windows that follow a resolution. A token sees the merchant that it acts for, and no other."""

from hashlib import sha256
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import Select
from sqlmodel import col

from api.auth.caller import ADMINS, Caller
from api.http.path import MerchantId
from api.http.transaction import InUnit, Work, matches, respond
from api.tickets.requests import Name
from api.tickets.responses import Id, View
from models.db.session import TenantSession, locked
from models.errors import NotFound, PreconditionFailed
from models.people.tables import Merchant
from models.value import Value

router = APIRouter(prefix="/merchants", tags=["merchants"])
Window = Annotated[int, Field(strict=True, ge=0, le=365 * 86_400)]


class EditMerchant(Value):
    """A JSON merge patch (RFC 7396): what is left out stays. A window counts, in seconds, from the resolution of a ticket."""

    name: Name = ""
    survey_after_seconds: Window = 0
    auto_close_after_seconds: Window = 0
    reopen_within_seconds: Window = 0

    @property
    def changes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class MerchantView(View):
    """Later than ``reopenWithinSeconds`` after its resolution, a reporter's reply opens a follow-up."""

    id: Id
    slug: str
    name: str
    survey_after_seconds: int
    auto_close_after_seconds: int
    reopen_within_seconds: int


@router.get("/{merchant_id}", response_model=MerchantView)
async def get_merchant(merchant_id: MerchantId, unit: InUnit) -> Response:
    unit.caller.require(ADMINS)
    async with unit.reading() as session:
        return _answer(await _found(session, _own(unit.caller, merchant_id)))


@router.patch("/{merchant_id}", response_model=MerchantView)
async def edit_merchant(merchant_id: MerchantId, body: EditMerchant, unit: InUnit, request: Request) -> Response:
    """A change applies to what is resolved from then on: what was resolved before keeps its instants. If-Match may be left out."""
    unit.caller.require(ADMINS)

    async def work(work: Work) -> Response:
        # Locked: of two who edit it, neither overwrites what he did not see.
        merchant = await _found(work.session, locked(_own(work.caller, merchant_id)))
        _require_match(request.headers.get("if-match"), merchant)
        merchant.sqlmodel_update(body.changes)
        await work.session.write()
        return _answer(merchant)

    return await unit.write(work)


def _own(caller: Caller, merchant_id: int) -> Select[Merchant]:
    return sa.select(Merchant).where(col(Merchant.id) == merchant_id, col(Merchant.id) == caller.merchant_id)


async def _found(session: TenantSession, wanted: Select[Merchant]) -> Merchant:
    merchant = (await session.execute(wanted)).scalar_one_or_none()
    if merchant is None:
        raise NotFound("merchant")
    return merchant


def _require_match(if_match: str | None, merchant: Merchant) -> None:
    if if_match is not None and not matches(if_match, _etag(_view(merchant))):
        raise PreconditionFailed("The merchant has changed.", current=_view(merchant).model_dump(mode="json", by_alias=True))


def _answer(merchant: Merchant) -> Response:
    view = _view(merchant)
    return respond(view, headers={"ETag": _etag(view)})


def _view(merchant: Merchant) -> MerchantView:
    return MerchantView.model_validate(merchant)


def _etag(view: MerchantView) -> str:
    """A merchant has no version: what is shown of it stands for one."""
    return f'"{sha256(view.model_dump_json().encode()).hexdigest()[:16]}"'
