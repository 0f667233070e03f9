"""Steps that tests of a ticket's life share."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx

from models.notifications.tables import Notification
from models.tickets.tables import Ticket
from tests.support.auditor import facts_of, is_running, rows
from tests.support.desk import Desk, Merchant

A_MOMENT = timedelta(milliseconds=500)


async def do(client: httpx.AsyncClient, ticket: dict[str, Any], verb: str, body: dict[str, Any] | None = None) -> Any:
    """A POST that must succeed; the body of the response."""
    response = await client.post(f"/tickets/{ticket['id']}/{verb}", json=body)
    assert response.is_success, response.text
    return response.json()


async def say(client: httpx.AsyncClient, ticket: dict[str, Any], text: str = "We look into it.") -> Any:
    return await do(client, ticket, "messages", {"body": text})


async def away(client: httpx.AsyncClient, agent_id: int) -> None:
    response = await client.put(f"/agents/{agent_id}/availability", json={"state": "away"})
    assert response.is_success, response.text


async def known(desk: Desk, merchant: Merchant, ticket: dict[str, Any]) -> None:
    """Wait until the ticket's workflow knows the latest facts: only then may its time be advanced past a deadline."""

    async def version() -> tuple[int, int]:
        row = next(row for row in await _tickets(desk, merchant) if row.id == int(ticket["id"]))
        return row.facts_version, (await facts_of(desk, ticket["id"])).version

    await desk.until(lambda: is_running(desk, ticket["id"]), bool)
    await desk.until(version, lambda versions: versions[0] == versions[1])


async def reach(desk: Desk, merchant: Merchant, ticket: dict[str, Any], deadline: str) -> datetime:
    """Advance time to just after ``deadline`` (its kind and key, for example ``escalate resolution/1/2``); return its instant."""
    await known(desk, merchant, ticket)
    found = {f"{d.kind} {d.key}".strip(): d.due_at for d in (await facts_of(desk, ticket["id"])).deadlines}
    await desk.pass_time(ticket["id"], found[deadline] - desk.clock.now() + A_MOMENT)
    return found[deadline]


def kinds(merchant: Merchant, ticket: dict[str, Any]) -> Callable[[], Awaitable[list[str]]]:
    """Look at the kinds of the ticket's audit rows."""

    async def look() -> list[str]:
        page = await merchant.get(ticket["id"], "/events?limit=100")
        return [event["kind"] for event in page["data"]]

    return look


async def happened(desk: Desk, merchant: Merchant, ticket: dict[str, Any], kind: str, times: int = 1) -> list[str]:
    """Wait until the audit has so many rows of ``kind``; all kinds, in order."""
    return await desk.until(kinds(merchant, ticket), lambda seen: seen.count(kind) >= times)


async def told(desk: Desk, merchant: Merchant, ticket: dict[str, Any], kind: str) -> list[str]:
    """The recipients of notifications of ``kind``, each as often as they got one."""
    sent = [each for each in await rows(desk, merchant, Notification) if each.ticket_id == int(ticket["id"])]
    return sorted(each.recipient_name for each in sent if each.kind == kind)


async def _tickets(desk: Desk, merchant: Merchant) -> Any:

    return await rows(desk, merchant, Ticket)
