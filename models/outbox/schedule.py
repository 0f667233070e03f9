"""The schedule of the reconciliation, as this release says: made or brought up to date by ``setup`` and by each worker that starts."""

import dataclasses
from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)

from models.outbox import messages as maintenance

RECONCILED_EVERY = timedelta(minutes=1)
NOTE = (
    "Every minute: tells the workflow of each ticket, notification and job what it did not hear of, offers waiting tickets to free agents,"
    " and deletes expired idempotency keys. While it is paused tickets go on, but what was lost stays lost and waiting tickets wait."
)
SCHEDULE = Schedule(
    action=ScheduleActionStartWorkflow(
        maintenance.WORKFLOW,
        id="reconciliation",
        task_queue=maintenance.TASK_QUEUE,
        run_timeout=timedelta(minutes=10),
    ),
    spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=RECONCILED_EVERY)]),
    policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    state=ScheduleState(note=NOTE),
)
log = structlog.get_logger()


async def schedule_reconciliation(client: Client) -> None:
    """Once for all workers: the schedule lives in Temporal. One that differs from this release's is brought up to date."""
    try:
        await client.create_schedule(maintenance.SCHEDULE_ID, SCHEDULE)
    except ScheduleAlreadyRunningError:
        await _bring_up_to_date(client.get_schedule_handle(maintenance.SCHEDULE_ID))
    else:
        log.info("reconciliation.scheduled", every_seconds=RECONCILED_EVERY.total_seconds())


async def _bring_up_to_date(handle: ScheduleHandle) -> None:
    """Whether it is paused is an operator's word, and stays with its reason; but it is said."""
    found = (await handle.describe()).schedule
    if _gist(found) == _gist(SCHEDULE):
        log.info("reconciliation.is_scheduled", every_seconds=RECONCILED_EVERY.total_seconds())
    else:
        await handle.update(lambda now: ScheduleUpdate(_under(now.description.schedule.state)))
        log.warning("reconciliation.schedule_changed", was=_gist(found), now=_gist(SCHEDULE))
    if found.state.paused:
        log.warning("reconciliation.is_paused", note=found.state.note)


def _under(state: ScheduleState) -> Schedule:
    return dataclasses.replace(SCHEDULE, state=state) if state.paused else SCHEDULE


def _gist(schedule: Schedule) -> dict[str, str]:
    """What it does, when, what happens to a run that overlaps, and its note; as Temporal tells it back. A pause has a note of its own."""
    action = schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)  # noqa: S101 - there is no other kind
    spec = {name: value for name, value in vars(schedule.spec).items() if value}
    started = {name: str(getattr(action, name)) for name in ("workflow", "id", "task_queue", "run_timeout", "execution_timeout")}
    note = NOTE if schedule.state.paused else schedule.state.note or ""
    return {**started, "arguments": str(len(action.args)), "spec": str(spec), "overlap": schedule.policy.overlap.name, "note": note}
