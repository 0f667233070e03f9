import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from deploy.local.processes import ChildFailedError
from deploy.local.temporal import TemporalServer, answers, free_port
from models.tickets.lifecycle import Priority, Status
from models.tickets.messages import TicketFacts
from models.tickets.search_attributes import STATUS, TYPES, describe

FACTS = TicketFacts(
    merchant_id=1,
    ticket_id=2,
    version=1,
    number=3,
    status=Status.NEW,
    priority=Priority.HIGH,
    sla_status=None,
    escalation_level=0,
    is_assigned=False,
    deadlines=(),
)


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


async def test_a_server_that_lacks_search_attributes_gets_them_and_keeps_the_others(tmp_path: Path) -> None:
    """As when a release adds one: the server has workflows that carry the older ones."""
    with served(tmp_path, {STATUS.name: "Keyword"}) as older:
        client = await Client.connect(older.address)
        known = TypedSearchAttributes([SearchAttributePair(STATUS, "new")])
        await client.start_workflow(Waiting.run, id="older", task_queue="q", search_attributes=known)
        await until_found(client, "HelpdeskStatus = 'new'", ["older"])
    with served(tmp_path, TYPES) as newer:
        client = await Client.connect(newer.address)
        await client.start_workflow(Waiting.run, id="ticket", task_queue="q", search_attributes=describe(FACTS))
        await until_found(client, "HelpdeskStatus = 'new' AND HelpdeskTicketNumber > 1 AND HelpdeskPriority = 'high'", ["ticket"])
        await until_found(client, "HelpdeskStatus = 'new'", ["older", "ticket"])
        found = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        assert {name: IndexedValueType.Name(kind) for name, kind in found.custom_attributes.items() if name in TYPES} == {
            name: f"INDEXED_VALUE_TYPE_{kind.upper()}" for name, kind in TYPES.items()
        }


@contextmanager
def served(folder: Path, attributes: Mapping[str, str]) -> Iterator[TemporalServer]:
    server = TemporalServer(folder, free_port(), search_attributes=attributes, log=folder / "temporal.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def until_found(client: Client, query: str, ids: list[str]) -> None:
    """A workflow can be found a moment after it has started."""
    async with asyncio.timeout(30):
        while True:
            if sorted([each.id async for each in client.list_workflows(query)]) == ids:
                return
            await asyncio.sleep(0.05)


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


def test_the_server_keeps_little_at_hand(temporal: TemporalServer) -> None:
    server = psutil.Process(temporal.pid)
    assert server.environ()["GOGC"] == "50"
    assert "history.hostLevelCacheMaxSize=1000" in server.cmdline()
