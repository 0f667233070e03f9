"""Two releases' workers beside each other: Temporal gives tasks to the current one, and open tickets go over to the next."""

import asyncio
from typing import Any

import pytest

from deploy.local.temporal import temporal_binary
from tests.support.desk import Desk
from tests.support.isolated import Isolated, desk_without_a_worker, worker_process
from tests.system.verbs import do


async def make_current(isolated: Isolated, build: str) -> None:
    """The command of docs/sizing.md, until Temporal knows the build: its workers tell it with their first poll."""
    command = f"worker deployment set-current-version --deployment-name helpdesk --build-id {build} --yes --address"
    async with asyncio.timeout(60):
        while True:
            words = [str(temporal_binary()), *command.split(), isolated.temporal.address]
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
            if await process.wait() == 0:
                return
            await asyncio.sleep(0.2)


async def build_of(desk: Desk, ticket: dict[str, Any]) -> str:
    """The release that ran the last task of a ticket's workflow."""
    description = await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").describe()
    return description.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id


@pytest.mark.timeout(240)
async def test_an_open_ticket_goes_over_to_the_release_that_becomes_the_current_one(isolated: Isolated) -> None:
    async with desk_without_a_worker(isolated) as desk, worker_process(isolated, "deploy", worker_build_id="one") as first:
        acme = await desk.merchant()
        ticket = await acme.open()
        await make_current(isolated, "one")
        await desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["assigneeId"] is not None, seconds=60)
        await desk.until(lambda: build_of(desk, ticket), lambda build: build == "one")
        async with worker_process(isolated, "deploy", worker_build_id="two"):
            await make_current(isolated, "two")
            first.terminate()
            assert await asyncio.wait_for(first.wait(), 60) == 0
            await do(acme.lars, ticket, "close", {})
            await desk.until(lambda: build_of(desk, ticket), lambda build: build == "two", seconds=60)
            result = desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
            assert await asyncio.wait_for(result, 60) == "closed"
