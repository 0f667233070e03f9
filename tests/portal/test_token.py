"""For how long a link is good, for whom, and how it is replaced; and where its token is never kept."""

import json
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col
from structlog.testing import capture_logs

from models.notifications.kinds import NotificationKind
from models.notifications.tables import Notification
from models.people.tables import Reporter
from models.platform.signed_links import sign
from models.portal.link import PortalLink, link_of, token_of
from tests.portal.pages import MONTH, Markup, Page, path_of
from tests.support.auditor import rows
from tests.support.desk import SIGNING_KEYS


async def test_a_link_opens_one_ticket_of_one_merchant(page: Page) -> None:
    globex = await page.desk.merchant("globex")
    expires = int((datetime.now(UTC) + MONTH).timestamp())
    content = [page.merchant.id, int(page.ticket["id"]), 0, expires]
    of_another = sign(SIGNING_KEYS, "portal", [globex.id, *content[1:]])
    of_another_purpose = sign(SIGNING_KEYS, "survey", list(content))
    with_another_key = sign(("another key, longer than 32 characters",), "portal", list(content))
    for token in (of_another, of_another_purpose, with_another_key, "x", "e30", "W10.AAAA", "%00", "x" * 501):
        for response in (await page.client.get(f"/portal/tickets/{token}"), await page.client.post(f"/portal/tickets/{token}/messages")):
            assert (response.status_code, "does not work any more" in response.text) == (404, True), token
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_link_is_good_in_one_spelling(page: Page) -> None:
    token = page.path.rpartition("/")[2]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = {token[:-1] + letter for letter in alphabet} | {f"{token}{end}" for end in ("=", "==", "%0A", "%20", ".", "A", "-", "é")}
    good = [each for each in spellings if (await page.client.get(f"/portal/tickets/{each}")).status_code == 200]
    assert good == [token]


async def test_a_link_ends_after_its_time(page: Page) -> None:
    old = page._replace(path=path_of(page.merchant.id, page.ticket["id"], good_for=-timedelta(seconds=1)))
    for response in (await old.client.get(old.path), await old.write("Hello")):
        assert (response.status_code, page.ticket["subject"] in response.text) == (404, False)
    assert await page.comments() == []


async def test_a_deleted_ticket_is_not_there(page: Page) -> None:
    await page.merchant.lars.delete(f"/tickets/{page.ticket['id']}")
    for response in (await page.client.get(page.path), await page.write("Hello")):
        assert (response.status_code, page.ticket["subject"] in response.text) == (404, False)


async def links_sent(page: Page) -> list[str]:
    """To whom new links were sent."""
    notifications = await rows(page.desk, page.merchant, Notification, col(Notification.kind) == NotificationKind.PORTAL_LINK)
    return [each.address for each in notifications]


async def test_a_new_link_goes_to_the_known_address_and_ends_the_earlier_ones(page: Page) -> None:
    response = await page.client.post(f"{page.path}/link", data={"email": "evil@x.example"})
    assert await links_sent(page) == [f"rita-{page.merchant.id}@customer.example"]
    assert "portal/tickets" not in response.text
    assert (await page.client.get(page.path)).status_code == 404
    await page._replace(path=path_of(page.merchant.id, page.ticket["id"], generation=1)).get()


async def test_an_expired_link_asks_for_a_new_one_also_of_a_closed_ticket(page: Page) -> None:
    await page.do("close")
    old = path_of(page.merchant.id, page.ticket["id"], good_for=-timedelta(days=300))
    (form,) = Markup((await page.client.get(old)).text).all("form")
    assert (form["method"], form["action"]) == ("post", f"{old}/link")
    await page.client.post(str(form["action"]))
    assert len(await links_sent(page)) == 1


async def test_who_asks_again_and_again_gets_one_link_and_ends_none_with_an_old_one(page: Page) -> None:
    for _ in range(3):
        await page.client.post(f"{page.path}/link")
    assert len(await links_sent(page)) == 1
    async with page.desk.database.reading(page.merchant.id) as session:
        await session.execute(sa.update(Notification).values(created_at=col(Notification.created_at) - timedelta(hours=1)))
    await page.client.post(f"{page.path}/link")  # it is of the generation before
    assert len(await links_sent(page)) == 2
    await page._replace(path=path_of(page.merchant.id, page.ticket["id"], generation=1)).get()


async def test_whether_there_is_a_ticket_is_told_to_nobody(page: Page) -> None:
    nowhere = path_of(page.merchant.id, "9")
    answers = [await page.client.post(f"{path}/link") for path in (page.path, nowhere, "/portal/tickets/x")]
    assert [response.status_code for response in answers] == [200] * 3
    assert len({response.text for response in answers}) == 1


async def test_a_reporter_without_an_address_keeps_the_link(page: Page) -> None:
    async with page.desk.database.reading(page.merchant.id) as session:
        await session.execute(sa.update(Reporter).values(email=None))
    await page.client.post(f"{page.path}/link")
    await page.get()


async def test_no_token_reaches_the_log(page: Page) -> None:
    token = page.path.rpartition("/")[2]
    with capture_logs() as lines:
        await page.get()
        await page.write("Hello")
        await page.client.post(f"{page.path}/link")
        await page.client.get(f"{page.path}?before=x")
    requests = [line for line in lines if line["event"] == "request"]
    assert {line["route"] for line in requests} == {f"/portal/tickets/{{token}}{part}" for part in ("", "/messages", "/link")}
    assert requests[0]["merchant_id"] == page.merchant.id
    assert token not in json.dumps(lines, default=str)


async def test_no_token_is_kept_in_the_database(page: Page) -> None:
    await page.write("Hello", once="k1")
    async with page.desk.database.reading(page.merchant.id) as session:
        kept = (await session.execute(sa.text("SELECT headers::text || body FROM idempotencykey"))).scalars().all()
    assert not [each for each in kept if "portal" in each]


def test_a_link_says_what_was_signed() -> None:
    link = PortalLink(1001, 9, 2, datetime(2026, 12, 1, tzinfo=UTC))
    token = token_of(SIGNING_KEYS, link)
    assert (link_of(SIGNING_KEYS, token), len(token) < 150) == (link, True)
