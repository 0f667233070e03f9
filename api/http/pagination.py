"""Keyset pages: a page ends at a row, and the next one begins behind it. The cursor is signed for one merchant and one question.

Where rows hold long texts a page also ends early, behind the row with which it has 1 MiB of them: what is not shown is not read.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select
from sqlalchemy.dialects.postgresql import ARRAY

from api.auth.caller import Caller
from api.context import context_of
from api.http.responses import ResponseBody, respond
from api.http.transaction import transaction_of
from models.db.session import TenantSession
from models.errors import Invalid
from models.platform import signed_links as links

MAX_BYTES = 1024 * 1024
"""Of the texts and documents of a page, as they are stored, without its last row."""
LIMIT: Final = "how many rows a page has at the most; it ends early where they hold more than about 1 MiB"
Limit = Annotated[int, Query(ge=1, le=100, description=LIMIT)]
After = Annotated[str | None, Query(max_length=2000, description="`page.next` of the page before")]
_T = TypeVar("_T", bound=BaseModel)


class PageEnd(ResponseBody):
    """Only ``hasMore`` tells the last page: one that ends early has fewer rows than ``limit``, and at least one."""

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

    async def page(
        self, session: TenantSession, rows: Select[Any], order: Order, size: ColumnElement[int] | None = None
    ) -> tuple[list[Any], PageEnd]:
        """``size`` is the bytes of a row, where it may have many: see :func:`bytes_of`. ``order.id`` is then unique among ``rows``."""
        query = rows if self._after is None else rows.where(self._behind(order))
        query = query.order_by(*order.columns()).limit(self.limit + 1)
        found = (await session.execute(query if size is None else _ended_early(query, rows, order, size))).all()
        shown = [row[0] for row in found[: self.limit]]
        has_more = bool(found) and (len(found) if size is None else found[0].reached) > len(shown)
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


def bytes_of(*columns: Any) -> ColumnElement[int]:
    """The bytes of texts and documents as they are stored. A long text tells its length without being read."""
    lengths = (sa.func.coalesce(sa.func.octet_length(sa.cast(column, sa.Text)), 0) for column in columns)
    return sum(lengths, sa.literal(0))


def _ended_early(query: Select[Any], rows: Select[Any], order: Order, size: ColumnElement[int]) -> Select[Any]:
    """The rows of ``query`` before which there is less than the budget, and with each how many ``query`` has (``reached``).

    One statement: the lengths are summed up first, and only the rows that fit are read.
    """
    lengths = query.with_only_columns(order.column.label("place"), order.id.label("id"), size.label("size")).subquery()
    in_order = Order(lengths.c.place, lengths.c.id, order.is_descending).columns()
    before = sa.func.coalesce(sa.func.sum(lengths.c.size).over(order_by=in_order, rows=(None, -1)), 0)
    sums = sa.select(lengths.c.id, before.label("before")).cte("sums")
    # As an array, not as a join: a planner that knows nothing of a new merchant's rows yet would sum up anew for each of them.
    fitting = sa.func.array(sa.select(sums.c.id).where(sums.c.before < MAX_BYTES).scalar_subquery(), type_=ARRAY(sa.BigInteger))
    reached = sa.select(sa.func.count()).select_from(sums).scalar_subquery()
    return rows.where(order.id == sa.any_(fitting)).add_columns(reached.label("reached")).order_by(*order.columns())


async def _paged(request: Request, limit: Limit = 50, after: After = None) -> Pager:
    return Pager(request, transaction_of(request).caller, limit, after)  # async: see api/http/transaction.py


Paged = Annotated[Pager, Depends(_paged)]
