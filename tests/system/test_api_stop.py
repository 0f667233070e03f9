"""An API that is told to stop: who has asked gets a whole response, and who asks meanwhile is sent elsewhere."""

import asyncio
import json
import signal

import httpx
import pytest

from tests.support.api_process import api_process
from tests.support.desk import BASE, Merchant
from tests.support.isolated import Isolated, still_desk
from tests.system.test_graceful_stop import tickets_locked, until_blocked

BODY = {"subject": "The till does not open", "description": "Since this morning.", "category": "general"}

PATIENT = {"http_drain_seconds": 0, "database_lock_seconds": 30, "database_statement_seconds": 30}


async def until_refused(port: int) -> None:
    """Until nothing listens on the port any more."""
    async with asyncio.timeout(60):
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
    async with still_desk(isolated) as desk, api_process(isolated, http_processes=processes, **PATIENT) as (process, port):
        acme = await desk.merchant()
        async with client_of(acme, port) as client:
            async with tickets_locked(isolated) as connection:
                asked = [asyncio.create_task(client.post("/tickets", json=BODY)) for _ in range(5)]
                await until_blocked(connection, 5)
                process.send_signal(signal.SIGTERM)
                await until_refused(port)
            responses = await asyncio.gather(*asked)
        assert [response.status_code for response in responses] == [201] * 5
        await asyncio.to_thread(process.wait, 30)
        for response in responses:
            assert (await acme.get(response.json()["id"]))["number"] == json.loads(response.content)["number"]
