"""A reporter's page, as the tests of the portal use it."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, NamedTuple

import httpx

from models.portal.link import PortalLink, token_of
from tests.support.desk import SIGNING_KEYS, Desk, Merchant

MONTH = timedelta(days=30)


class Page(NamedTuple):
    """One reporter's page; the client has no token."""

    desk: Desk
    merchant: Merchant
    ticket: dict[str, Any]
    client: httpx.AsyncClient
    path: str

    async def get(self, part: str = "") -> str:
        response = await self.client.get(self.path + part)
        assert response.status_code == 200, response.text
        return response.text

    async def write(self, text: str, once: str = "") -> httpx.Response:
        return await self.client.post(f"{self.path}/messages", data={"body": text, "once": once})

    async def comments(self) -> list[str]:
        return [each["body"] for each in await self.merchant.whole(self.ticket["id"], "/messages")]

    async def do(self, verb: str, **body: Any) -> None:
        response = await self.merchant.lars.post(f"/tickets/{self.ticket['id']}/{verb}", json=body or None)
        assert response.is_success, response.text


def path_of(merchant_id: int, ticket_id: str, generation: int = 0, good_for: timedelta = MONTH) -> str:
    return f"/portal/tickets/{token_of(SIGNING_KEYS, PortalLink(merchant_id, int(ticket_id), generation, datetime.now(UTC) + good_for))}"


async def opened(desk: Desk, merchant: Merchant, **fields: Any) -> Page:
    ticket = await merchant.open(category="general", **fields)
    return Page(desk, merchant, ticket, desk.client_with(None, base=""), path_of(merchant.id, ticket["id"]))


class Markup(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]
