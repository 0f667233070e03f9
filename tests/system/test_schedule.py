"""The reconciliation's schedule is what this release says, also where an older one or an operator's slip left another."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleIntervalSpec, ScheduleSpec, ScheduleUpdate

from models.outbox.messages import SCHEDULE_ID
from models.outbox.schedule import NOTE, SCHEDULE, schedule_reconciliation
from tests.support.isolated import Isolated


@pytest.fixture
async def client(isolated: Isolated) -> Client:
    return (await isolated.environment()).client


async def schedule_of(client: Client) -> Schedule:
    return (await client.get_schedule_handle(SCHEDULE_ID).describe()).schedule


async def said(client: Client) -> list[str]:
    with capture_logs() as lines:
        await schedule_reconciliation(client)
    return [line["event"] for line in lines]


async def change(client: Client, **parts: Any) -> None:
    """By a hand or a release that wanted something else."""
    changed = dataclasses.replace(SCHEDULE, **parts)
    await client.get_schedule_handle(SCHEDULE_ID).update(lambda _: ScheduleUpdate(changed))


async def test_a_worker_schedules_the_reconciliation_and_says_so(client: Client) -> None:
    assert await said(client) == ["reconciliation.scheduled"]
    assert await said(client) == ["reconciliation.is_scheduled"]


async def test_a_worker_that_starts_repairs_a_schedule_that_differs(client: Client) -> None:
    await schedule_reconciliation(client)
    await change(client, spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))]))
    assert await said(client) == ["reconciliation.schedule_changed"]
    assert [each.every for each in (await schedule_of(client)).spec.intervals] == [timedelta(minutes=1)]

    await change(client, action=ScheduleActionStartWorkflow("Reconciliation", id="reconciliation", task_queue="elsewhere"))
    assert await said(client) == ["reconciliation.schedule_changed"]
    action = (await schedule_of(client)).action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.task_queue, action.run_timeout) == ("maintenance", timedelta(minutes=10))
    assert await said(client) == ["reconciliation.is_scheduled"]


async def test_an_operator_reads_what_the_schedule_is_for(client: Client) -> None:
    await schedule_reconciliation(client)
    assert (await schedule_of(client)).state.note == NOTE
    await client.get_schedule_handle(SCHEDULE_ID).unpause(note="it was never paused")
    assert await said(client) == ["reconciliation.schedule_changed"]
    assert (await schedule_of(client)).state.note == NOTE


async def test_a_schedule_that_an_operator_paused_stays_paused_and_is_named(client: Client) -> None:
    await schedule_reconciliation(client)
    await client.get_schedule_handle(SCHEDULE_ID).pause(note="an upgrade")
    assert await said(client) == ["reconciliation.is_scheduled", "reconciliation.is_paused"]
    await client.get_schedule_handle(SCHEDULE_ID).update(
        lambda now: ScheduleUpdate(dataclasses.replace(now.description.schedule, spec=ScheduleSpec(jitter=timedelta(seconds=3))))
    )
    assert await said(client) == ["reconciliation.schedule_changed", "reconciliation.is_paused"]
    state = (await schedule_of(client)).state
    assert (state.paused, state.note) == (True, "an upgrade")
