"""The context of a ticket: gathered at intake, once, and never in its way."""

from typing import Any

from tests.support.desk import Desk, Merchant


async def gathered(desk: Desk, acme: Merchant, ticket: dict[str, Any]) -> dict[str, Any]:
    seen = await desk.until(lambda: acme.get(ticket["id"], "/context"), lambda seen: seen["context"] is not None)
    return dict(seen["context"])


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


async def test_gathering_it_changes_no_version(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await gathered(desk, acme, ticket)
    assert (await acme.get(ticket["id"]))["version"] == ticket["version"]
