"""What is said on a ticket, and to whom it is never said."""

from typing import Any

import pytest

from tests.support.desk import Desk, Merchant

SECRET = "the customer is a nuisance, zq7x"


async def _say(client: Any, ticket: dict[str, Any], part: str = "messages", **body: Any) -> dict[str, Any]:
    response = await client.post(f"/tickets/{ticket['id']}/{part}", json={"body": "Hello."} | body)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_replies_come_back_oldest_first_with_their_authors(ticket: dict[str, Any], resting: Merchant) -> None:
    said = [await _say(client, ticket, body=f"{n}") for n, client in enumerate((resting.rita, resting.ana, resting.adam))]
    listed = (await resting.rita.get(f"/tickets/{ticket['id']}/messages")).json()["data"]
    assert listed == said
    assert [(m["body"], m["author"]["kind"], m["author"]["name"]) for m in listed] == [
        ("0", "reporter", "Rita"), ("1", "agent", "Ana"), ("2", "staff", "Adam"),
    ]  # fmt: skip


async def test_the_first_reply_of_an_agent_opens_and_meets_the_first_response(ticket: dict[str, Any], resting: Merchant) -> None:
    await _say(resting.ana, ticket)
    seen = await resting.get(ticket["id"])
    cycles = {cycle["metric"]: cycle["status"] for cycle in (await resting.get(ticket["id"], "/sla"))["data"]}
    assert (seen["status"], cycles["first_response"], cycles["resolution"]) == ("open", "achieved", "running")
    assert seen["firstRespondedAt"] is not None


async def test_neither_a_note_nor_the_reporter_meets_the_first_response(ticket: dict[str, Any], resting: Merchant) -> None:
    await _say(resting.rita, ticket)
    await _say(resting.ana, ticket, "notes")
    cycles = {cycle["metric"]: cycle["status"] for cycle in (await resting.get(ticket["id"], "/sla"))["data"]}
    assert (cycles["first_response"], (await resting.get(ticket["id"]))["firstRespondedAt"]) == ("running", None)


@pytest.mark.parametrize("status", ["pending", "on_hold", "resolved", "closed"])
async def test_a_reply_may_move_the_ticket(status: str, ticket: dict[str, Any], resting: Merchant) -> None:
    await _say(resting.ana, ticket, status=status)
    assert (await resting.get(ticket["id"]))["status"] == status


@pytest.mark.parametrize("verb", ["pending", "hold", "resolve"])
async def test_the_reporters_reply_reopens(verb: str, ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/{verb}")
    await _say(resting.rita, ticket)
    assert (await resting.get(ticket["id"]))["status"] == "open"


async def test_a_reporter_can_not_move_with_his_reply(ticket: dict[str, Any], resting: Merchant) -> None:
    response = await resting.rita.post(f"/tickets/{ticket['id']}/messages", json={"body": "b", "status": "closed"})
    assert response.status_code == 403


async def test_an_agents_reply_that_can_not_move_is_not_said_either(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/resolve")
    response = await resting.ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "b", "status": "pending"})
    assert (response.status_code, response.json()["allowedTransitions"]) == (409, ["open", "closed"])
    assert (await resting.get(ticket["id"], "/messages"))["data"] == []


async def test_on_a_closed_ticket_the_reporter_begins_a_follow_up(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/close")
    message = await _say(resting.rita, ticket, body="Again!")
    follow_up = await resting.get(message["ticketId"])
    assert (follow_up["followUpOfId"], follow_up["description"]) == (ticket["id"], "Again!")
    assert (await resting.get(ticket["id"]))["status"] == "closed"


async def test_on_a_closed_ticket_an_agent_is_refused(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.ana.post(f"/tickets/{ticket['id']}/close")
    response = await resting.ana.post(f"/tickets/{ticket['id']}/messages", json={"body": "b"})
    assert (response.status_code, response.json()["code"]) == (409, "ticket_is_closed")


async def test_a_note_is_for_agents_only(ticket: dict[str, Any], resting: Merchant) -> None:
    note = await _say(resting.ana, ticket, "notes", body=SECRET)
    assert (await resting.get(ticket["id"], "/notes"))["data"] == [note]
    assert [m["kind"] for m in (await resting.get(ticket["id"], "/messages"))["data"]] == ["note"]
    assert (await resting.rita.get(f"/tickets/{ticket['id']}/messages")).json()["data"] == []


async def test_no_page_of_a_reporter_tells_that_there_are_notes(ticket: dict[str, Any], resting: Merchant) -> None:
    for n in range(3):
        await _say(resting.ana, ticket, "notes", body=SECRET)
        await _say(resting.ana, ticket, body=f"{n}")
    page = (await resting.rita.get(f"/tickets/{ticket['id']}/messages", params={"limit": 3})).json()
    assert ([m["body"] for m in page["data"]], page["page"]) == (["0", "1", "2"], {"hasMore": False, "next": None})


async def test_no_text_of_a_note_is_in_anything_that_a_reporter_can_get(ticket: dict[str, Any], resting: Merchant) -> None:
    await _say(resting.ana, ticket, "notes", body=SECRET)
    answers = [await resting.rita.get(f"/tickets/{ticket['id']}{part}") for part in ("", "/messages", "/notes", *_OF_STAFF)]
    answers += [await resting.rita.get("/tickets", params=params) for params in ({}, {"q": "zq7x"}, {"q": "nuisance"})]
    assert [response.status_code for response in answers] == [200, 200, 404, *([403] * len(_OF_STAFF)), 200, 200, 200]
    assert not [response.text for response in answers if "zq7x" in response.text]
    assert answers[-1].json()["data"] == []


_OF_STAFF = ("/events", "/notifications", "/escalations", "/sla", "/sla/timeline", "/context")


async def test_no_text_of_a_note_is_in_an_email_to_the_reporter(desk: Desk, ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.lars.post(f"/tickets/{ticket['id']}/assign", json={"agentId": str(resting.agents["leo"])})
    await _say(resting.ana, ticket, "notes", body=SECRET)
    await _say(resting.ana, ticket, body="We come at noon.")
    address = f"rita-{resting.id}@customer.example"
    await desk.until(lambda: _emails_of(desk, resting, ticket), lambda sent: all(each["status"] == "sent" for each in sent))
    emails = [email for email in desk.emails() if address in email.to]
    assert any("We come at noon." in email.text for email in emails)
    assert not [email for email in emails if "zq7x" in email.model_dump_json()]


async def _emails_of(desk: Desk, merchant: Merchant, ticket: dict[str, Any]) -> Any:
    return (await merchant.get(ticket["id"], "/notifications"))["data"]


async def test_nobody_is_written_to_about_a_note_but_the_assignee(ticket: dict[str, Any], resting: Merchant) -> None:
    await resting.lars.post(f"/tickets/{ticket['id']}/assign", json={"agentId": str(resting.agents["leo"])})
    await _say(resting.ana, ticket, "notes", body=SECRET)
    emails = (await resting.get(ticket["id"], "/notifications"))["data"]
    assert [each["recipient"]["name"] for each in emails if each["kind"] == "note_added"] == ["Leo"]
    assert SECRET not in str(emails)
