"""Dead notifications: listed, replayed once, and delivered under the same Message-ID."""

import asyncio

import sqlalchemy as sa
from sqlmodel import col

from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from tests.support.desk import Desk, Merchant


async def a_dead_letter(desk: Desk, acme: Merchant) -> str:
    ticket = await acme.open(category="general")
    page = await desk.until(lambda: acme.get(ticket["id"], "/notifications"), lambda page: all(n["status"] == "sent" for n in page["data"]))
    async with desk.database.reading(acme.id) as session:
        notification = col(Notification.id) == int(page["data"][0]["id"])
        await session.execute(sa.update(Notification).where(notification).values(status=NotificationStatus.DEAD))
    return str(page["data"][0]["id"])


async def test_of_two_operators_who_replay_a_dead_letter_one_sends_it(desk: Desk, acme: Merchant) -> None:
    notification = await a_dead_letter(desk, acme)
    assert [n["id"] for n in (await acme.lars.get("/notifications?status=dead")).json()["data"]] == [notification]

    answers = await asyncio.gather(*(client.post(f"/notifications/{notification}/replay") for client in (acme.lars, acme.adam)))

    assert sorted(response.status_code for response in answers) == [200, 409]
    dead = lambda: acme.lars.get("/notifications?status=sent")  # noqa: E731 - one look
    await desk.until(dead, lambda response: notification in [n["id"] for n in response.json()["data"]])
    copies = [mail for mail in desk.emails() if f"notification-{notification}@" in mail.message_id]
    assert len(copies) == 2


async def test_another_merchants_dead_letter_is_not_there_to_be_replayed(desk: Desk, acme: Merchant, globex: Merchant) -> None:
    notification = await a_dead_letter(desk, acme)
    strangers = [globex.lars, globex.adam, globex.client("olga", "operator"), acme.client("leda", "lead", organizer_ids=("77",))]
    for stranger in strangers:
        answer, of_nothing = [await stranger.post(f"/notifications/{each}/replay") for each in (notification, "9")]
        assert (answer.status_code, answer.json()["detail"]) == (404, of_nothing.json()["detail"])
        assert (await stranger.get("/notifications?status=dead")).json()["data"] == []
    assert [n["id"] for n in (await acme.lars.get("/notifications?status=dead")).json()["data"]] == [notification]
    assert len([mail for mail in desk.emails() if f"notification-{notification}@" in mail.message_id]) == 1


async def test_a_notification_that_was_sent_is_not_replayed(desk: Desk, acme: Merchant) -> None:
    notification = await a_dead_letter(desk, acme)
    await acme.lars.post(f"/notifications/{notification}/replay")
    await desk.until(lambda: acme.lars.get("/notifications?status=sent"), lambda a: notification in [n["id"] for n in a.json()["data"]])
    assert (await acme.lars.post(f"/notifications/{notification}/replay")).json()["code"] == "not_dead"
