"""Keyset pages: a page ends at a row, and the next one begins behind it. The cursor is signed for one merchant and one question."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import Select

from api.auth.caller import Caller
from api.context import context_of
from api.http.responses import ResponseBody, respond
from api.http.transaction import transaction_of
from models.db.session import TenantSession
from models.errors import Invalid
from models.platform import signed_links as links

Limit = Annotated[int, Query(ge=1, le=100, description="how many rows a page has at the most")]
After = Annotated[str | None, Query(max_length=2000, description="`page.next` of the page before")]
_T = TypeVar("_T", bound=BaseModel)


class PageEnd(ResponseBody):
    has_more: bool
    next: str | None


class Page(ResponseBody, Generic[_T]):
    data: list[_T]
    page: PageEnd


class Order(NamedTuple):
    """``column`` decides, ``id`` breaks ties; both in the same direction. Rows without a value come last."""

    column: Any
    id: Any
    is_descending: bool = False

    @property
    def is_nullable(self) -> bool:
        return bool(getattr(self.column, "nullable", False))

    def columns(self) -> tuple[Any, Any]:
        """For ORDER BY. Nulls are only spoken of where there can be some: the planner would pass over the index."""
        column, row_id = (each.desc() if self.is_descending else each.asc() for each in (self.column, self.id))
        return column.nulls_last() if self.is_nullable else column, row_id

    def beyond(self, column: Any, value: Any) -> Any:
        return column < value if self.is_descending else column > value


class Pager:
    """One question of one caller: the query string without the cursor tells questions apart."""

    def __init__(self, request: Request, caller: Caller, limit: int, after: str | None) -> None:
        question = sorted((name, value) for name, value in request.query_params.multi_items() if name not in ("after", "limit"))
        digest = sha256(repr((caller.merchant_id, caller.claims.sub, request.url.path, question)).encode()).hexdigest()
        self._keys, self._purpose = context_of(request).signing_keys, f"cursor/{digest}"
        self._url, self.limit, self._after = request.url, limit, after

    async def page(self, session: TenantSession, rows: Select[Any], order: Order) -> tuple[list[Any], PageEnd]:
        query = rows.limit(self.limit + 1)
        if self._after is not None:
            query = query.where(self._behind(order))
        found = list((await session.execute(query.order_by(*order.columns()))).scalars())
        shown = found[: self.limit]
        has_more = len(found) > self.limit
        return shown, PageEnd(has_more=has_more, next=self._cursor(shown[-1], order) if has_more else None)

    def respond(self, shown: Sequence[ResponseBody], end: PageEnd) -> Response:
        """The page, with the address of the next one as a link (RFC 8288)."""
        page: Page[ResponseBody] = Page(data=list(shown), page=end)
        if end.next is None:
            return respond(page)
        url = self._url.include_query_params(after=end.next)
        return respond(page, headers={"Link": f'<{url.path}?{url.query}>; rel="next"'})

    def _cursor(self, row: Any, order: Order) -> str:
        value = getattr(row, order.column.key)
        place = value.isoformat() if isinstance(value, datetime) else value
        return links.sign(self._keys, self._purpose, [place, getattr(row, order.id.key)])

    def _behind(self, order: Order) -> Any:
        content = links.read(self._keys, self._purpose, self._after or "")
        if content is None:
            raise Invalid(
                "invalid_cursor",
                "The cursor is not of this list: begin again without `after`, and keep the filters from page to page.",
                "/query/after",
            )
        value, row_id = content
        if value is None:
            return order.column.is_(None) & order.beyond(order.id, row_id)
        if isinstance(order.column.type, sa.DateTime):
            value = datetime.fromisoformat(str(value))
        end = sa.tuple_(sa.literal(value, order.column.type), sa.literal(row_id, order.id.type))
        behind = order.beyond(sa.tuple_(order.column, order.id), end)
        return behind | order.column.is_(None) if order.is_nullable else behind


async def _paged(request: Request, limit: Limit = 50, after: After = None) -> Pager:
    return Pager(request, transaction_of(request).caller, limit, after)  # async: see api/http/transaction.py


Paged = Annotated[Pager, Depends(_paged)]
