"""The page behind the link in a reporter's e-mails: one ticket, read and written without signing in, and nothing else."""

import asyncio
import re
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from api.portal.conversation import AT_ONCE
from models.audit import SYSTEM, Change
from models.notifications.tables import Notification
from models.people.tables import Merchant as MerchantRow
from models.people.tables import Reporter
from models.tickets.merge import merge
from models.tickets.repository import lock_both, save
from models.tickets.tables import Comment, Ticket
from tests.portal.pages import Markup, Page, opened
from tests.support.auditor import rows
from tests.support.desk import Merchant

EVIL = "<script>alert(1)</script>{{7*7}}"


async def test_the_page_shows_the_ticket_and_its_public_conversation(page: Page) -> None:
    await page.do("messages", body="We come at noon.")
    await page.do("notes", body="zq7x: an impatient customer")
    shown = await page.get()
    for text in (
        f"request #{page.ticket['number']}",
        page.ticket["subject"],
        page.ticket["description"],
        "We come at noon.",
        "In progress",
    ):
        assert text in shown
    assert "zq7x" not in shown
    assert "<strong>Lars</strong>" in shown


async def test_a_reply_is_the_reporters_own_and_told_to_the_agent(page: Page) -> None:
    await page.do("assign", agentId=str(page.merchant.agents["ana"]))
    response = await page.write("Any news?\r\nIt is urgent.")
    assert (response.status_code, response.headers["Location"]) == (303, f"{page.path}?sent=1#conversation")
    (comment,) = await rows(page.desk, page.merchant, Comment)
    (rita,) = await rows(page.desk, page.merchant, Reporter)
    assert (comment.body, comment.author_kind, comment.author_id) == ("Any news?\nIt is urgent.", "reporter", rita.id)
    told = [each.recipient_name for each in await rows(page.desk, page.merchant, Notification) if each.kind == "reply_to_agent"]
    assert told == ["Ana"]
    shown = await page.get("?sent=1")
    assert "<strong>You</strong>" in shown
    assert "what you wrote is with us" in shown


async def test_a_reply_opens_a_resolved_ticket_again(page: Page) -> None:
    await page.do("resolve")
    assert "Your reply opens the request again" in await page.get()
    await page.write("It is stuck again.")
    assert (await page.merchant.get(page.ticket["id"]))["status"] == "open"


async def test_a_reply_to_a_closed_ticket_opens_a_follow_up_and_leads_to_it(page: Page) -> None:
    await page.do("close")
    assert "What you write here opens a new one" in await page.get()
    response = await page.write("And another thing.")
    follow_up = await page.client.get(response.headers["Location"])
    (_, ticket) = await rows(page.desk, page.merchant, Ticket)
    assert (ticket.follow_up_of_id, ticket.description) == (int(page.ticket["id"]), "And another thing.")
    assert f"request #{ticket.number}" in follow_up.text
    assert await page.comments() == []


async def test_a_merged_ticket_leads_to_the_other_and_takes_no_reply(page: Page) -> None:
    other = await page.merchant.open(category="general")
    await page.do("merge", intoTicketId=other["id"])
    refused = await page.write("Where am I?")
    assert (refused.status_code, "please write there" in refused.text, "Where am I?" in refused.text) == (422, True, True)
    (link,) = [each["href"] for each in Markup(await page.get()).all("a")]
    assert f"request #{other['number']}" in (await page.client.get(str(link))).text
    assert not any("messages" in str(form["action"]) for form in Markup(refused.text).all("form"))


async def test_a_reply_that_meets_a_merge_is_asked_to_go_where_the_ticket_went(page: Page) -> None:
    """The page read the ticket before the merge was committed, and waits for its row."""
    other = await page.merchant.open(category="general")
    ids = (int(page.ticket["id"]), int(other["id"]))
    async with page.desk.database.writing(page.merchant.id) as session:
        source, target = await lock_both(session, sa.select(Ticket), ids, Change(by=SYSTEM, at=page.desk.clock.now()))
        await merge(source, target)
        await save(source, target)
        writing = asyncio.create_task(page.write("Where am I?"))
        await page.desk.until(lambda: waits_for_a_row(page), lambda waits: waits or writing.done())
    refused = await writing
    assert (refused.status_code, "please write there" in refused.text, "Where am I?" in refused.text) == (422, True, True)


async def waits_for_a_row(page: Page) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    async with page.desk.database.reading(page.merchant.id) as session:
        return bool((await session.execute(sa.text(waiting))).scalar_one())


async def test_a_ticket_that_was_merged_into_a_strangers_tells_nothing_of_that(page: Page) -> None:
    stranger = page.merchant.client("rudi", "reporter")
    other = (await stranger.post("/tickets", json={"subject": "zq7x", "description": "Mine.", "category": "general"})).json()
    await page.do("merge", intoTicketId=other["id"])
    shown = await page.get()
    assert f"request #{other['number']}" not in shown
    assert "zq7x" not in shown


@pytest.mark.parametrize("text", ["", " \n", "x" * 100_001])
async def test_what_the_api_refuses_the_page_refuses_kindly(text: str, page: Page) -> None:
    refused = await page.write(text)
    assert (refused.status_code, "Nothing was sent" in refused.text) == (422, True)
    assert await page.comments() == []


async def test_a_text_that_is_refused_is_not_lost(page: Page) -> None:
    refused = await page.write("y" * 100_001)
    assert "y" * 100_000 in refused.text


async def test_a_double_click_is_one_reply_and_another_text_is_another(page: Page) -> None:
    answers = [await page.write(text, once="k1") for text in ("Hello", "Hello", "Hello again")]
    assert [response.status_code for response in answers] == [303] * 3
    assert await page.comments() == ["Hello", "Hello again"]


async def test_clicks_at_once_are_one_reply(page: Page) -> None:
    answers = await asyncio.gather(*(page.write("Hello", once="k1") for _ in range(6)))
    assert {response.status_code for response in answers} == {303}
    assert await page.comments() == ["Hello"]


HOSTILE = (b"", b"\xff", b"body=%00", b"body=%ED%A0%80", b"a=1&" * 1000, b'{"body": "x"}', b"body=x&status=closed&isInternal=true")


@pytest.mark.parametrize("content", HOSTILE)
async def test_hostile_forms_are_refused_or_made_harmless(content: bytes, page: Page) -> None:
    response = await page.client.post(f"{page.path}/messages", content=content)
    assert response.status_code in {303, 422}
    assert (await page.merchant.get(page.ticket["id"]))["status"] == page.ticket["status"]


async def test_a_body_without_an_end_is_refused_on_a_page(page: Page) -> None:
    response = await page.client.post(f"{page.path}/messages", content=b"body=" + b"x" * 1_100_000)
    assert response.status_code == 413


async def test_what_people_wrote_is_no_markup(acme: Merchant) -> None:
    page = await opened(acme.desk, acme, subject=EVIL, description=f"</p>{EVIL}")
    await page.write(f"</textarea>{EVIL}")
    refused = await page.client.post(f"{page.path}/messages", data={"body": f"</textarea>{EVIL}" + "x" * 100_000})
    for text in (await page.get(), refused.text):
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in text


async def test_every_page_runs_nothing_is_kept_nowhere_and_leads_nowhere_else(page: Page) -> None:
    for response in (await page.client.get(page.path), await page.client.get("/portal/tickets/x"), await page.write("Hello")):
        headers = response.headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert (policy["default-src"], policy["frame-ancestors"], policy["form-action"]) == ("'none'", "'none'", "'self'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert (headers["X-Content-Type-Options"], headers["X-Robots-Tag"]) == ("nosniff", "noindex, nofollow")


async def test_the_page_can_be_used_by_everybody(page: Page) -> None:
    shown = Markup(await page.get())
    labelled = {each["for"] for each in shown.all("label")}
    fields = [each for each in shown.all("textarea") + shown.all("input") if each.get("type") != "hidden"]
    assert {each["id"] for each in fields} <= labelled
    assert shown.all("html")[0]["lang"] == "en"
    assert any("width=device-width" in str(each.get("content")) for each in shown.all("meta"))
    assert [tag for tag, _ in shown.tags].count("h1") == 1
    assert not shown.all("script") + shown.all("link") + shown.all("img")


async def test_a_long_conversation_comes_a_page_at_a_time(page: Page) -> None:
    async with page.desk.database.writing(page.merchant.id) as session:
        about = {"merchant_id": page.merchant.id, "ticket_id": int(page.ticket["id"]), "author_kind": "agent", "author_name": "Ana"}
        first = datetime.fromisoformat(page.ticket["createdAt"])
        for number in range(2 * AT_ONCE + 5):
            kind, at = "note" if number % 2 else "reply", first + timedelta(seconds=number)
            session.append(Comment, **about, id=session.new_id(), kind=kind, body=f"text {number}.", created_at=at, author_id=None)
        await session.write()
    newest = await page.get()
    (earlier,) = re.findall(r"\?before=\d+", newest)
    oldest = await page.get(earlier)
    assert re.findall(r"text (\d+)\.", oldest + newest) == [str(number) for number in range(0, 2 * AT_ONCE + 5, 2)]
    assert ("?before" in oldest, page.ticket["description"] in oldest, page.ticket["description"] in newest) == (False, True, False)


async def test_a_place_in_another_conversation_leads_nowhere(page: Page) -> None:
    other = await opened(page.desk, page.merchant)
    await other.write("zq7x")
    (comment,) = await rows(page.desk, page.merchant, Comment)
    for before in (str(comment.id), "9", "x", "-1"):
        response = await page.client.get(f"{page.path}?before={before}")
        assert (response.status_code, "zq7x" in response.text) == (404, False)


async def test_the_page_names_its_merchant(page: Page) -> None:
    async with page.desk.database.reading(page.merchant.id) as session:
        await session.execute(sa.update(MerchantRow).values(name="Acme & Sons"))
    assert "Acme &amp; Sons" in await page.get()


async def test_agents_are_told_how_to_use_the_api_and_nothing_of_the_ticket(page: Page) -> None:
    known, unknown = [await page.client.get(f"/console/tickets/{id_}") for id_ in (page.ticket["id"], "9")]
    assert (known.status_code, known.text.replace(page.ticket["id"], "9")) == (200, unknown.text)
    assert f"GET /v1/api/helpdesk/tickets/{page.ticket['id']}" in known.text
    assert (await page.client.get("/console/tickets/%3Cscript%3E")).status_code == 404
