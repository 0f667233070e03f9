from datetime import timedelta

import psutil
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from deploy.local.processes import ChildFailedError
from deploy.local.temporal import TemporalServer, answers


@workflow.defn
class Waiting:
    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.word))
        return self.word

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_workflow_outlives_its_server(temporal: TemporalServer, end: str) -> None:
    client = await Client.connect(temporal.address)
    handle = await client.start_workflow(Waiting.run, id="waits", task_queue="q", execution_timeout=timedelta(minutes=5))
    getattr(temporal, end)()
    assert not temporal.running()
    temporal.start()
    client = await Client.connect(temporal.address)
    async with Worker(client, task_queue="q", workflows=[Waiting], workflow_runner=UnsandboxedWorkflowRunner()):
        handle = client.get_workflow_handle_for(Waiting.run, handle.id)
        await handle.signal(Waiting.say, "again")
        assert await handle.result() == "again"


async def test_workflows_can_be_found_by_the_search_attributes(temporal: TemporalServer) -> None:
    client = await Client.connect(temporal.address)
    assert [w async for w in client.list_workflows("HelpdeskStatus = 'new' AND HelpdeskTicketNumber > 1")] == []


def test_a_port_that_is_taken_fails_the_start_with_the_servers_own_words(temporal: TemporalServer) -> None:
    port = int(temporal.address.rpartition(":")[2])
    second = TemporalServer(None, port, log=temporal.log.with_name("second.log"))
    with pytest.raises(ChildFailedError, match=str(port)):
        second.start(seconds=15)
    second.stop()
    assert temporal.running()


def test_stopping_ends_the_process(temporal: TemporalServer) -> None:
    pid = temporal.pid
    assert pid
    temporal.stop()
    temporal.stop()
    assert not psutil.pid_exists(pid)


def test_a_port_on_which_nothing_listens_does_not_answer() -> None:
    assert not answers("http://127.0.0.1:1/")
