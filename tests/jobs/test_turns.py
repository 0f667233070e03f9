"""Whose turn it is: a check of the SLA comes before other jobs, merchants take turns, and no job holds up the reconciliation."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType

from models.jobs import begin
from models.outbox import messages as maintenance
from models.outbox.tables import Outbox
from models.platform.settings import WorkerQueue
from tests.sla.configuration_cast import id_of
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated, still_desk, worker_process, workflow_server
from tests.system.jobs import begun

ONE_PARTITION = {"matching__numTaskqueueReadPartitions": "1", "matching__numTaskqueueWritePartitions": "1"}
"""Each partition of a queue has an order of its own: with one the test can tell the order."""


@pytest.fixture
async def in_one_order(isolated: Isolated, tmp_path: Path) -> AsyncIterator[Isolated]:
    with workflow_server(tmp_path / "one", **ONE_PARTITION) as server:
        yield isolated._replace(temporal=server)


async def test_a_check_comes_first_and_merchants_take_turns(in_one_order: Isolated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin, "MAX_LIVE", 12)
    async with still_desk(in_one_order) as desk:
        acme, globex = await desk.merchant(), await desk.merchant()
        many = [await dry_run(acme) for _ in range(12)]
        one, check = await dry_run(globex), await begun(acme, "/sla/checks")
        for merchant in (acme, globex):
            while await rows(desk, merchant, Outbox):
                await desk.relay_once()
        async with worker_process(in_one_order, "deploy", [WorkerQueue.JOBS]):
            for job_id in (*many, one, check):
                await desk.client.get_workflow_handle(f"job-{job_id}").result()
        order = await in_order(desk, [*many, one, check])
        assert order.index(check) < 3, order
        assert order.index(one) < 5, order


async def test_the_reconciliation_has_a_queue_in_which_no_job_waits(isolated: Isolated) -> None:
    async with still_desk(isolated) as desk:
        acme = await desk.merchant()
        job_id = await dry_run(acme)
        while await rows(desk, acme, Outbox):
            await desk.relay_once()
        async with worker_process(isolated, "deploy", [WorkerQueue.MAINTENANCE]):  # nobody works on jobs
            healed = await desk.client.execute_workflow(
                maintenance.WORKFLOW, id="now", task_queue=maintenance.TASK_QUEUE, result_type=maintenance.Healed
            )
        assert healed.jobs == 0
        assert (await acme.lars.get(f"/jobs/{job_id}")).json()["status"] == "running"


async def dry_run(merchant: Merchant) -> str:
    return await begun(merchant, f"/calendars/{await id_of(merchant, '/calendars')}/preview")


async def in_order(desk: Desk, job_ids: Sequence[str]) -> list[str]:
    """The jobs, by when their first batch was begun."""
    begun_at: dict[str, datetime] = {}
    for job_id in job_ids:
        history = await desk.client.get_workflow_handle(f"job-{job_id}").fetch_history()
        started = next(event for event in history.events if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
        begun_at[job_id] = started.event_time.ToDatetime()
    return sorted(begun_at, key=begun_at.__getitem__)
