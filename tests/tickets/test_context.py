"""The context of a ticket: gathered at intake, once, and never in its way; shown as it is now, to those who may see it."""

from typing import Any

import httpx

from tests.support.desk import Desk, Merchant


async def gathered(desk: Desk, acme: Merchant, ticket: dict[str, Any]) -> dict[str, Any]:
    seen = await desk.until(lambda: acme.get(ticket["id"], "/context"), lambda seen: seen["context"] is not None)
    return dict(seen["context"])


async def _earlier(client: httpx.AsyncClient, ticket: dict[str, Any]) -> list[dict[str, Any]]:
    return list((await client.get(f"/tickets/{ticket['id']}/context")).json()["context"]["earlierTickets"])


async def test_it_names_the_reporters_earlier_tickets_the_latest_first(desk: Desk, acme: Merchant) -> None:
    earlier = [await acme.open(category="general", subject=f"Number {number}") for number in range(6)]
    context = await gathered(desk, acme, await acme.open(category="general"))
    assert [each["id"] for each in context["earlierTickets"]] == [ticket["id"] for ticket in earlier[:0:-1]]
    assert context["hasMore"] is True


async def test_it_names_no_ticket_of_another_organizer(desk: Desk, acme: Merchant) -> None:
    await acme.open(category="general", organizerId="77")
    context = await gathered(desk, acme, await acme.open(category="general"))
    assert context["earlierTickets"] == []
    assert context["hasMore"] is False


async def test_it_shows_them_as_they_are_now(desk: Desk, resting: Merchant) -> None:
    old = await resting.open(category="general", subject="The till")
    ticket = await resting.open(category="general")
    (shown,) = (await gathered(desk, resting, ticket))["earlierTickets"]
    assert shown == {name: old[name] for name in ("id", "number", "subject", "status", "createdAt")}
    await resting.ana.patch(f"/tickets/{old['id']}", json={"subject": "The other till"}, headers={"If-Match": "*"})
    await resting.ana.post(f"/tickets/{old['id']}/resolve")
    (shown,) = await _earlier(resting.lars, ticket)
    assert (shown["subject"], shown["status"]) == ("The other till", "resolved")


async def test_one_that_was_deleted_later_is_not_shown(desk: Desk, acme: Merchant) -> None:
    old, kept = [await acme.open(category="general") for _ in range(2)]
    ticket = await acme.open(category="general")
    await gathered(desk, acme, ticket)
    await acme.lars.delete(f"/tickets/{old['id']}")
    assert [each["id"] for each in await _earlier(acme.adam, ticket)] == [kept["id"]]


async def test_one_that_went_to_another_organizer_later_is_shown_to_those_of_all_only(desk: Desk, acme: Merchant) -> None:
    old = await acme.open(category="general", organizerId="77", subject="For 77 only")
    ticket = await acme.open(category="general", organizerId="77")
    await gathered(desk, acme, ticket)
    await acme.lars.patch(f"/tickets/{old['id']}", json={"organizerId": "78"}, headers={"If-Match": "*"})
    narrow = acme.client("ada-narrow", "agent", organizer_ids=("77",))
    assert await _earlier(narrow, ticket) == []
    assert [each["id"] for each in await _earlier(acme.ana, ticket)] == [old["id"]]


async def test_gathering_it_changes_no_version(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await gathered(desk, acme, ticket)
    assert (await acme.get(ticket["id"]))["version"] == ticket["version"]
