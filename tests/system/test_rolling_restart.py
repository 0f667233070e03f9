"""A release under load, behind the proxy of the compose file: an API and a worker are replaced, and nobody notices."""

import asyncio
import re
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from sqlmodel import col

from deploy.local.temporal import free_port
from models.notifications.kinds import NotificationKind
from models.notifications.tables import Notification
from models.tickets.tables import Ticket
from tests.platform.scraped import scrape
from tests.support.api_process import api_process
from tests.support.auditor import audit, rows
from tests.support.compose import traefik
from tests.support.desk import BASE, Desk, Merchant
from tests.support.isolated import Isolated, still_desk, worker_process
from tests.support.steady import Load

A_SECOND = 10
"""Requests: this shares a machine with other tests. ``make bench`` has fifty."""
_NOTIFICATION = re.compile(r"notification-(\d+)")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_request_fails_and_no_activity_is_lost_while_api_and_worker_are_replaced(isolated: Isolated, tmp_path: Path) -> None:
    ports, metrics, proxy = (free_port(), free_port()), free_port(), free_port()
    async with still_desk(isolated) as desk, AsyncExitStack() as parts:
        await parts.enter_async_context(api_process(isolated, http_port=ports[0]))
        old_api, _ = await parts.enter_async_context(api_process(isolated, http_port=ports[1]))
        old_worker = await parts.enter_async_context(worker_process(isolated, "deploy"))
        acme = await desk.merchant()
        await asyncio.to_thread(isolated.postgres.psql, "UPDATE agent SET capacity = 10000", isolated.database)
        parts.enter_context(traefik(tmp_path, proxy, [f"http://127.0.0.1:{port}" for port in ports]))
        client = await parts.enter_async_context(client_of(acme, proxy))
        await desk.until(lambda: client.get("/tickets"), lambda response: response.is_success)  # the proxy has read its routes
        load = Load(client)
        async with load.running(per_second=A_SECOND):
            await desk.until(lambda: opened(load), lambda count: count > A_SECOND, seconds=60)
            await stopped(old_api)
            await parts.enter_async_context(api_process(isolated, http_port=ports[1], http_metrics_port=metrics))
            await parts.enter_async_context(worker_process(isolated, "deploy"))
            await stopped(old_worker)
            await desk.until(lambda: served(metrics), bool, seconds=60)
        assert not load.failed
        await everything_is_told_once(desk, acme, load)


async def everything_is_told_once(desk: Desk, acme: Merchant, load: Load) -> None:
    async def unassigned() -> list[int]:
        return [ticket.id for ticket in await rows(desk, acme, Ticket, col(Ticket.assignee_id).is_(None))]

    await desk.until(unassigned, lambda waiting: not waiting, seconds=60)
    await audit(desk, acme)
    told = await rows(desk, acme, Notification)
    for kind in (NotificationKind.TICKET_RECEIVED, NotificationKind.TICKET_ASSIGNED):
        assert Counter(str(each.ticket_id) for each in told if each.kind is kind) == Counter(load.tickets), kind
    ours = {str(each.id) for each in told}
    sent = Counter(_NOTIFICATION.search(mail.message_id)[1] for mail in desk.emails())  # type: ignore[index]
    assert {number: count for number, count in sent.items() if number in ours} == dict.fromkeys(ours, 1)


def client_of(acme: Merchant, port: int) -> httpx.AsyncClient:
    headers = {"Authorization": acme.rita.headers["Authorization"]}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{BASE}", headers=headers, timeout=60)


async def stopped(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def opened(load: Load) -> int:
    return len(load.tickets)


async def served(metrics: int) -> float:
    """Requests for tickets that the proxy has sent to the process with these metrics."""
    found = (await scrape(metrics)).get("helpdesk_http_requests_total", {})
    return sum(value for (_, route, _), value in found.items() if route.startswith("/tickets"))
