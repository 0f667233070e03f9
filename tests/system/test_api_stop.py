"""An API that is told to stop: who has asked gets a whole response, and who asks meanwhile is sent elsewhere."""

import asyncio
import contextlib
import json
import signal

import httpx
import psutil
import pytest

from deploy.local.temporal import free_port
from deploy.siblings import PORTS_APART
from tests.platform.scraped import scrape
from tests.support.api_process import api_process
from tests.support.desk import BASE, Merchant
from tests.support.isolated import Isolated, still_desk
from tests.system.test_graceful_stop import PATIENT, tickets_locked, until_blocked

BODY = {"subject": "The till does not open", "description": "Since this morning.", "category": "general"}


async def until_refused(port: int) -> None:
    """Until nothing listens on the port any more."""
    async with asyncio.timeout(50):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.05)


def client_of(acme: Merchant, port: int) -> httpx.AsyncClient:
    headers = {"Authorization": acme.rita.headers["Authorization"]}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{BASE}", headers=headers, timeout=60)


@pytest.mark.parametrize("processes", [1, 2])
async def test_creates_that_are_under_way_are_answered_before_the_api_ends(isolated: Isolated, processes: int) -> None:
    async with (
        still_desk(isolated) as desk,
        api_process(
            isolated, http_processes=processes, http_drain_seconds=0, database_lock_seconds=PATIENT, database_statement_seconds=PATIENT
        ) as (process, port),
    ):
        acme = await desk.merchant()
        async with client_of(acme, port) as client:
            async with tickets_locked(isolated) as connection:
                asked = [asyncio.create_task(client.post("/tickets", json=BODY)) for _ in range(5)]
                await until_blocked(connection, 5)
                process.send_signal(signal.SIGTERM)
                await until_refused(port)
            responses = await asyncio.gather(*asked)
        assert [response.status_code for response in responses] == [201] * 5
        assert await asyncio.wait_for(process.wait(), 30) == 0
        for response in responses:
            assert (await acme.get(response.json()["id"]))["number"] == json.loads(response.content)["number"]


async def test_an_api_that_drains_is_not_ready_and_closes_each_connection_after_its_response(isolated: Isolated) -> None:
    async with api_process(isolated, http_drain_seconds=60) as (process, port), httpx.AsyncClient(timeout=30) as client:
        ready = f"http://127.0.0.1:{port}/readyz"
        assert (await client.get(ready)).status_code == 200
        process.send_signal(signal.SIGTERM)
        response = await until_closed(client, ready)
        assert response.status_code == 503
        assert response.json()["status"] == "draining"
        process.send_signal(signal.SIGTERM)  # a second one ends the wait
        await until_refused(port)
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_signal_to_the_whole_group_does_not_cut_the_wait_short(isolated: Isolated) -> None:
    drain = 2
    async with (
        api_process(isolated, http_processes=2, http_drain_seconds=drain) as (parent, port),
        httpx.AsyncClient(timeout=30) as client,
    ):
        began = asyncio.get_running_loop().time()
        for child in psutil.Process(parent.pid).children():
            child.terminate()
        await until_closed(client, f"http://127.0.0.1:{port}/readyz")
        parent.send_signal(signal.SIGTERM)  # which passes it on, so each child has a second one
        await until_refused(port)
        assert asyncio.get_running_loop().time() - began >= drain
        assert await asyncio.wait_for(parent.wait(), 30) == 0


async def until_closed(client: httpx.AsyncClient, url: str) -> httpx.Response:
    async with asyncio.timeout(20):
        while True:
            response = await client.get(url)
            if response.headers.get("Connection") == "close":
                return response
            await asyncio.sleep(0.05)


async def test_a_process_that_dies_is_replaced_and_none_outlives_its_parent(isolated: Isolated) -> None:
    metrics = free_port()
    async with (
        api_process(isolated, http_processes=2, http_metrics_port=metrics) as (parent, port),
        httpx.AsyncClient(timeout=30) as probe,
    ):
        await until_measured(metrics + PORTS_APART)
        first, second = psutil.Process(parent.pid).children()
        first.kill()
        await asyncio.to_thread(psutil.wait_procs, [first], 30)
        assert (await probe.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
        await until_measured(metrics)
        children = psutil.Process(parent.pid).children()
        assert len(children) == 2
        assert second in children
        parent.kill()
        assert not (await asyncio.to_thread(psutil.wait_procs, children, 30))[1]


async def until_measured(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert (await scrape(port))["process_cpu_seconds_total"]
                return
            await asyncio.sleep(0.1)
