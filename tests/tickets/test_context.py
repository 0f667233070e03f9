"""The context of a ticket: the reporter's earlier tickets as they are now, to those who may see them."""

from typing import Any

import httpx

from tests.support.desk import Merchant


async def _earlier(client: httpx.AsyncClient, ticket: dict[str, Any]) -> list[dict[str, Any]]:
    return list((await client.get(f"/tickets/{ticket['id']}/context")).json()["earlierTickets"])


async def test_it_names_the_reporters_earlier_tickets_the_latest_first(acme: Merchant) -> None:
    earlier = [await acme.open(category="general", subject=f"Number {number}") for number in range(6)]
    context = await acme.get((await acme.open(category="general"))["id"], "/context")
    assert [each["id"] for each in context["earlierTickets"]] == [ticket["id"] for ticket in earlier[:0:-1]]
    assert context["hasMore"] is True


async def test_it_names_no_ticket_of_another_organizer(acme: Merchant) -> None:
    await acme.open(category="general", organizerId="77")
    context = await acme.get((await acme.open(category="general"))["id"], "/context")
    assert context["earlierTickets"] == []
    assert context["hasMore"] is False


async def test_it_shows_them_as_they_are_now(resting: Merchant) -> None:
    old = await resting.open(category="general", subject="The till")
    ticket = await resting.open(category="general")
    (shown,) = await _earlier(resting.lars, ticket)
    assert shown == {name: old[name] for name in ("id", "number", "subject", "status", "createdAt")}
    await resting.ana.patch(f"/tickets/{old['id']}", json={"subject": "The other till"}, headers={"If-Match": "*"})
    await resting.ana.post(f"/tickets/{old['id']}/resolve")
    (shown,) = await _earlier(resting.lars, ticket)
    assert (shown["subject"], shown["status"]) == ("The other till", "resolved")


async def test_one_that_was_deleted_later_is_not_shown(acme: Merchant) -> None:
    old, kept = [await acme.open(category="general") for _ in range(2)]
    ticket = await acme.open(category="general")
    await acme.lars.delete(f"/tickets/{old['id']}")
    assert [each["id"] for each in await _earlier(acme.adam, ticket)] == [kept["id"]]


async def test_one_that_went_to_another_organizer_later_is_not_shown(acme: Merchant) -> None:
    old = await acme.open(category="general", organizerId="77", subject="For 77 only")
    ticket = await acme.open(category="general", organizerId="77")
    narrow = acme.client("ada-narrow", "agent", organizer_ids=("77",))
    assert [each["id"] for each in await _earlier(narrow, ticket)] == [old["id"]]
    await acme.lars.patch(f"/tickets/{old['id']}", json={"organizerId": "78"}, headers={"If-Match": "*"})
    assert await _earlier(narrow, ticket) == await _earlier(acme.ana, ticket) == []
