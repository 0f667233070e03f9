"""Keyset pages: a page ends at a row, and the next one begins behind it. The cursor is signed for one merchant and one question."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from fastapi import Query, Request
from pydantic import BaseModel
from sqlalchemy import Select

from api.caller import Caller
from api.context import Context
from api.errors import Unprocessable
from api.views import View
from models import links
from models.tables.session import TenantSession

Limit = Annotated[int, Query(ge=1, le=100, description="how many rows a page has at the most")]
After = Annotated[str | None, Query(max_length=2000, description="`page.next` of the page before")]
_T = TypeVar("_T", bound=BaseModel)


class PageEnd(View):
    has_more: bool
    next: str | None


class Page(View, Generic[_T]):
    data: list[_T]
    page: PageEnd


class Order(NamedTuple):
    """``column`` decides, ``id`` breaks ties; both in the same direction. Rows without a value come last."""

    column: Any
    id: Any
    is_descending: bool


class Pager:
    """One question of one caller: the query string without the cursor tells questions apart."""

    def __init__(self, request: Request, caller: Caller, limit: int, after: str | None) -> None:
        context: Context = request.app.state.context
        question = sorted((name, value) for name, value in request.query_params.multi_items() if name not in ("after", "limit"))
        digest = sha256(repr((caller.merchant_id, caller.claims.sub, request.url.path, question)).encode()).hexdigest()
        self._key, self._purpose = context.signing_key, f"cursor/{digest}"
        self._url, self.limit, self._after = request.url, limit, after

    async def page(self, session: TenantSession, rows: Select[Any], order: Order) -> tuple[list[Any], PageEnd]:
        query = rows.limit(self.limit + 1)
        if self._after is not None:
            query = query.where(self._behind(order))
        direction = (lambda c: c.desc()) if order.is_descending else (lambda c: c.asc())
        query = (
            query.order_by(direction(order.column).nulls_last(), direction(order.id))
            if _is_nullable(order)
            else query.order_by(
                direction(order.column),
                direction(order.id),
            )
        )
        found = list((await session.execute(query)).scalars())
        shown = found[: self.limit]
        has_more = len(found) > self.limit
        return shown, PageEnd(has_more=has_more, next=self._cursor(shown[-1], order) if has_more else None)

    def link(self, end: PageEnd) -> Mapping[str, str]:
        if end.next is None:
            return {}
        url = self._url.include_query_params(after=end.next)
        return {"Link": f'<{url.path}?{url.query}>; rel="next"'}

    def _cursor(self, row: Any, order: Order) -> str:
        value = getattr(row, order.column.key)
        return links.sign(
            self._key, self._purpose, [value.isoformat() if isinstance(value, datetime) else value, getattr(row, order.id.key)]
        )

    def _behind(self, order: Order) -> sa.ColumnElement[bool]:
        content = links.read(self._key, self._purpose, self._after or "")
        if content is None:
            detail = "The cursor is not of this list."
            raise Unprocessable(detail, errors=[{"pointer": "/query/after", "code": "invalid_cursor", "detail": detail}])
        value, row_id = content
        if value is None:
            return order.column.is_(None) & _beyond(order.id, row_id, order)  # type: ignore[no-any-return]
        if isinstance(order.column.type, sa.DateTime):
            value = datetime.fromisoformat(str(value))
        behind = _beyond(
            sa.tuple_(order.column, order.id), sa.tuple_(sa.literal(value, order.column.type), sa.literal(row_id, order.id.type)), order
        )
        return behind | order.column.is_(None) if _is_nullable(order) else behind


def _beyond(column: Any, value: Any, order: Order) -> Any:
    return column < value if order.is_descending else column > value


def _is_nullable(order: Order) -> bool:
    return bool(getattr(order.column, "nullable", False))
