"""One ticket goes on, the other ends and points to it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.people.tables import Agent
from models.tickets.assignment import Availability
from models.tickets.tables import Comment
from tests.support.auditor import audit, rows
from tests.support.desk import Desk, Merchant


async def merge(client: httpx.AsyncClient, source: str, target: str, **headers: str) -> httpx.Response:
    return await client.post(f"/tickets/{source}/merge", json={"intoTicketId": target}, headers=headers)


async def write(client: httpx.AsyncClient, ticket_id: str, **headers: str) -> httpx.Response:
    return await client.post(f"/tickets/{ticket_id}/messages", json={"body": "Any news?"}, headers=headers)


async def opened(merchant: Merchant, count: int = 2, **fields: Any) -> list[str]:
    return [str((await merchant.open(category="general", **fields))["id"]) for _ in range(count)]


@pytest.fixture
async def merged(resting: Merchant) -> list[str]:
    """The first was merged into the second."""
    pair = await opened(resting)
    assert (await merge(resting.ana, *pair)).status_code == 200
    return pair


async def last_event(merchant: Merchant, ticket_id: str) -> tuple[str, dict[str, Any]]:
    last = (await merchant.get(ticket_id, "/events"))["data"][-1]
    return last["kind"], last["changes"]


async def test_the_merged_one_ends_and_both_histories_say_so(desk: Desk, resting: Merchant) -> None:
    source, target = await opened(resting)
    response = await merge(resting.ana, source, target)
    seen = response.json()
    assert (response.status_code, seen["id"], seen["status"], seen["mergedIntoId"]) == (200, source, "closed", target)
    assert (bool(seen["closedAt"]), seen["slaStatus"], response.headers["ETag"]) == (True, "none", f'"{seen["version"]}"')
    assert await last_event(resting, source) == ("ticket.merged", {"status": ["new", "closed"], "intoTicketId": target})
    assert await last_event(resting, target) == ("ticket.merged_from", {"fromTicketId": source})
    assert (await resting.get(target))["status"] == "new"
    await audit(desk, resting)


async def test_its_clocks_are_cancelled_because_of_the_merge(merged: list[str], resting: Merchant) -> None:
    events = (await resting.get(merged[0], "/sla"))["data"]
    assert {cycle["status"] for cycle in events} == {"cancelled"}
    assert {cycle["status"] for cycle in (await resting.get(merged[1], "/sla"))["data"]} == {"running"}


async def test_what_was_said_stays_where_it_was_said(resting: Merchant) -> None:
    source, target = await opened(resting)
    await write(resting.rita, source)
    await merge(resting.ana, source, target)
    assert [len((await resting.get(each, "/messages"))["data"]) for each in (source, target)] == [1, 0]


async def test_a_ticket_is_not_merged_into_itself(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await merge(resting.ana, ticket["id"], ticket["id"])
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/intoTicketId")
    assert (await resting.get(ticket["id"]))["status"] == "new"


@pytest.mark.parametrize(
    "body", [{}, {"intoTicketId": 7}, {"intoTicketId": "x"}, {"intoTicketId": None}, {"intoTicketId": "9" * 20}, [], None]
)
async def test_the_other_one_is_named_by_its_id(body: Any, ticket: dict[str, Any], resting: Merchant) -> None:
    assert (await resting.ana.post(f"/tickets/{ticket['id']}/merge", json=body)).status_code == 422


async def test_one_that_is_at_its_end_is_neither_merged_nor_merged_into(merged: list[str], resting: Merchant) -> None:
    (third, closed) = await opened(resting)
    await resting.ana.post(f"/tickets/{closed}/close")
    pairs = [(merged[0], third), (third, merged[0]), (closed, third), (third, closed)]
    answers = [await merge(resting.ana, *pair) for pair in pairs]
    assert {response.status_code for response in answers} == {409}
    assert [response.json()["code"] for response in answers] == [
        "ticket_is_merged",
        "target_is_merged",
        "ticket_is_closed",
        "target_is_closed",
    ]
    assert (await resting.get(third))["status"] == "new"


async def test_a_deleted_one_is_there_only_for_an_admin(resting: Merchant) -> None:
    source, deleted = await opened(resting)
    await resting.lars.delete(f"/tickets/{deleted}")
    assert [(await merge(client, source, deleted)).status_code for client in (resting.ana, resting.lars)] == [404, 404]
    response = await merge(resting.adam, source, deleted)
    assert (response.status_code, response.json()["code"]) == (409, "target_is_deleted")
    assert (await merge(resting.adam, deleted, source)).status_code == 404


async def test_what_the_caller_may_not_see_is_not_there(resting: Merchant, globex: Merchant) -> None:
    source, theirs = await opened(resting, 1, organizerId="77") + await opened(globex, 1)
    elsewhere = (await opened(resting, 1, organizerId="78"))[0]
    otto = resting.client("otto", "agent", organizer_ids=("77",))
    for target in (theirs, elsewhere, "9"):
        assert (await merge(otto, source, target)).json()["detail"].startswith("There is no such ticket.")
    assert (await merge(otto, elsewhere, source)).status_code == 404
    assert (await resting.get(source))["status"] == "new"
    assert (await globex.get(theirs, "/events"))["page"]["hasMore"] is False


async def test_if_match_is_about_the_merged_one(resting: Merchant) -> None:
    source, target = await opened(resting)
    await resting.ana.post(f"/tickets/{target}/hold")
    stale = await merge(resting.ana, source, target, **{"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["current"]["id"]) == (412, source)
    assert (await merge(resting.ana, source, target, **{"If-Match": '"1"'})).status_code == 200


async def test_a_repeated_merge_gets_the_same_answer(resting: Merchant) -> None:
    pair = await opened(resting)
    first, second = [await merge(resting.ana, *pair, **{"Idempotency-Key": "m"}) for _ in range(2)]
    assert (second.content, second.headers["Idempotent-Replayed"]) == (first.content, "true")


async def test_its_survey_is_withdrawn(desk: Desk, acme: Merchant) -> None:
    source, target = await opened(acme)
    await acme.ana.post(f"/tickets/{source}/resolve")
    await desk.pass_time(source, timedelta(hours=1, seconds=2))
    await desk.until(lambda: last_event(acme, source), lambda last: last[0] == "survey.sent")
    survey_id = (await last_event(acme, source))[1]["surveyId"]
    assert (await merge(acme.ana, source, target)).json()["status"] == "closed"
    response = await desk.client_with(None).post(f"/surveys/{desk.survey_token(acme.id, survey_id)}", json={"score": 1})
    assert (response.status_code, response.json()["code"]) == (410, "survey_withdrawn")
    await audit(desk, acme)


async def test_whoever_has_room_by_it_gets_what_waits_be_it_the_other_one(desk: Desk, resting: Merchant) -> None:
    """The target's lock is our own: SKIP LOCKED does not skip it."""
    async with desk.database.writing(resting.id) as session:
        await session.execute(sa.update(Agent).where(col(Agent.name) == "Ana").values(availability=Availability.AVAILABLE, capacity=1))
    source = (await resting.open(category="general"))["id"]
    await desk.until(lambda: resting.get(source), lambda seen: seen["assigneeId"] is not None)
    target = (await resting.open(category="general"))["id"]
    assert (await merge(resting.lars, source, target)).status_code == 200
    seen = await resting.get(target)
    assert (seen["assigneeId"], seen["status"], seen["slaStatus"]) == (str(resting.agents["ana"]), "open", "running")
    assert [event["kind"] for event in (await resting.get(target, "/events"))["data"]][-2:] == ["ticket.merged_from", "ticket.assigned"]
    await audit(desk, resting)


async def test_a_reply_on_it_goes_to_the_other_one(merged: list[str], resting: Merchant) -> None:
    source, target = merged
    await resting.ana.post(f"/tickets/{target}/pending")
    response = await write(resting.rita, source)
    assert (response.status_code, response.json()["ticketId"]) == (201, target)
    assert (await resting.get(target))["status"] == "open"
    assert (await resting.get(source, "/messages"))["data"] == []
    assert (await resting.rita.get(f"/tickets/{source}")).json()["mergedIntoId"] == target


async def test_a_reply_follows_several_merges(merged: list[str], resting: Merchant) -> None:
    (third,) = await opened(resting, 1)
    await merge(resting.ana, merged[1], third)
    keyed = {"Idempotency-Key": "r", "If-Match": f'"{(await resting.get(merged[0]))["version"]}"'}
    first, second = [await write(resting.rita, merged[0], **keyed) for _ in range(2)]
    assert (first.json()["ticketId"], second.content, second.headers["Idempotent-Replayed"]) == (third, first.content, "true")
    assert len((await resting.get(third, "/messages"))["data"]) == 1
    assert (await write(resting.rita, merged[0], **{"If-Match": '"0"'})).status_code == 412


@pytest.mark.parametrize("verb", ["close", "delete"])
async def test_a_reply_opens_a_follow_up_when_the_other_one_is_over(verb: str, merged: list[str], resting: Merchant) -> None:
    source, target = merged
    method, part = ("DELETE", "") if verb == "delete" else ("POST", "/close")
    await resting.lars.request(method, f"/tickets/{target}{part}")
    follow_up = await resting.get((await write(resting.rita, source)).json()["ticketId"])
    assert follow_up["followUpOfId"] == (source if verb == "delete" else target)  # of what he still sees


async def test_a_reply_opens_a_follow_up_when_the_other_one_is_somebody_elses(resting: Merchant) -> None:
    (source,) = await opened(resting, 1)
    rudis = (await resting.client("rudi", "reporter").post("/tickets", json={"subject": "Till", "description": "x"})).json()["id"]
    await merge(resting.ana, source, rudis)
    follow_up = await resting.get((await write(resting.rita, source)).json()["ticketId"])
    assert (await resting.rita.get(f"/tickets/{source}")).json()["mergedIntoId"] is None  # not even that it is there
    assert (follow_up["followUpOfId"], (await resting.get(rudis, "/messages"))["data"]) == (source, [])


async def test_staff_writes_on_the_one_that_goes_on(merged: list[str], resting: Merchant) -> None:
    response = await write(resting.ana, merged[0])
    assert (response.status_code, response.json()["code"]) == (409, "ticket_is_closed")


async def test_of_two_merges_across_one_wins(desk: Desk, resting: Merchant) -> None:
    for _ in range(10):
        a, b = await opened(resting)
        answers = await asyncio.gather(merge(resting.ana, a, b), merge(resting.leo, b, a))
        assert sorted(response.status_code for response in answers) == [200, 409], [response.text for response in answers]
        assert {response.json()["code"] for response in answers if response.status_code == 409} <= {"ticket_is_closed", "target_is_merged"}
    await audit(desk, resting)


async def test_merges_in_a_ring_leave_one(desk: Desk, resting: Merchant) -> None:
    for _ in range(5):
        ring = await opened(resting, 4)
        pairs = zip(ring, ring[1:] + ring[:1], strict=True)
        answers = await asyncio.gather(*(merge(resting.ana, *pair) for pair in pairs))
        assert {response.status_code for response in answers} <= {200, 409}
        statuses = [(await resting.get(each))["status"] for each in ring]
        assert statuses.count("closed") == [response.status_code for response in answers].count(200) > 0
        assert "new" in statuses
    await audit(desk, resting)


async def test_a_reply_in_the_instant_of_a_merge_is_kept_once(desk: Desk, resting: Merchant) -> None:
    for turn in range(10):
        source, target = sorted(await opened(resting), reverse=bool(turn % 2))  # so that either has the lower id
        answers = await asyncio.gather(*_in_turns(turn, merge(resting.ana, source, target), write(resting.rita, source)))
        assert sorted(response.status_code for response in answers) == [200, 201], [response.text for response in answers]
        said = await rows(desk, resting, Comment, col(Comment.ticket_id).in_((int(source), int(target))))
        assert len(said) == 1
    await audit(desk, resting)


def _in_turns(turn: int, *deeds: Any) -> Sequence[Any]:
    return deeds if turn % 4 < 2 else deeds[::-1]
