"""The worker process: settings -> adapters -> activities -> run.

It serves three task queues, sweeps the outbox and answers health probes.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Response
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.worker import Worker, WorkflowRunner

from activities.email.smtp import SmtpServer
from activities.job import JobActivities
from activities.maintenance import MaintenanceActivities
from activities.notification import DeliveryActivities
from activities.precedence import Precedence
from activities.ticket import TicketActivities
from models.db.session import Database
from models.notifications import messages as delivery
from models.outbox import messages as maintenance
from models.outbox.dispatch import LetterCarrier, NewsCarrier
from models.outbox.relay import Relay
from models.platform import logging as logs
from models.platform import temporal as engine
from models.platform.settings import Settings
from models.tickets import messages as ticket
from workflows.job import JobWorkflow
from workflows.notification import DeliveryWorkflow
from workflows.reconciliation import ReconciliationWorkflow
from workflows.runner import FREE
from workflows.ticket import TicketWorkflow

GRACE = timedelta(seconds=20)
AT_ONCE = 8
"""Changes of tickets under way, each with a connection of the pool: more would only wait for their team's row, and for the one core."""
DELIVERIES_AT_ONCE = 6
"""Few, so that a storm of letters leaves the core to the escalations that they tell of."""
RECONCILED_EVERY = timedelta(minutes=1)
log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what is under way then has twenty seconds to end."""
    logs.configure(settings.log_level)
    client = await _patiently(settings)
    database = Database(str(settings.database_url), pool_size=settings.database_pool_size)
    relay_url = str(settings.database_relay_url)
    relay = Relay(relay_url, NewsCarrier(client))
    post = Relay(relay_url, LetterCarrier(client, retry_seconds=settings.mail_retry_seconds))
    across = MaintenanceActivities(database, relay_url)
    jobs = JobActivities(database, relay)
    precedence = Precedence()
    tickets, deliveries = TicketActivities(database, relay, precedence), deliveries_of(settings, database, precedence)
    workers = workers_of(client, FREE, tickets, deliveries, across, jobs)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.aclose)
        stack.push_async_callback(across.aclose)
        gc.collect()
        gc.freeze()  # see api/main.py; before the first workflow comes, which does not stay
        for worker in workers:
            await stack.enter_async_context(worker)
        await schedule_reconciliation(client)
        log.info("worker.ready", task_queues=[worker.task_queue for worker in workers])
        await _until_told([relay, post], probes(settings, client))


def workers_of(  # noqa: PLR0913, PLR0917 - what the three queues need
    client: Client,
    runner: WorkflowRunner,
    tickets: TicketActivities,
    deliveries: DeliveryActivities,
    across: MaintenanceActivities,
    jobs: JobActivities,
) -> Sequence[Worker]:
    """Three queues, so that a slow mail server can't hold up an escalation."""
    worker = partial(Worker, client, workflow_runner=runner, graceful_shutdown_timeout=GRACE)
    return (
        worker(
            task_queue=ticket.TASK_QUEUE,
            workflows=[TicketWorkflow],
            activities=[tickets.assign, tickets.run_due, tickets.enrich],
            max_concurrent_activities=AT_ONCE,
            max_concurrent_local_activities=AT_ONCE,
            max_concurrent_workflow_tasks=20,
            max_cached_workflows=800,  # an eighth of a megabyte each; one that is not kept is replayed when something happens to it
        ),
        worker(
            task_queue=delivery.TASK_QUEUE,
            workflows=[DeliveryWorkflow],
            activities=[deliveries.deliver],
            max_concurrent_activities=DELIVERIES_AT_ONCE,
            max_concurrent_local_activities=DELIVERIES_AT_ONCE,
            max_concurrent_workflow_tasks=DELIVERIES_AT_ONCE,
            max_cached_workflows=100,  # a letter is done with its first task
        ),
        worker(
            task_queue=maintenance.TASK_QUEUE,
            workflows=[ReconciliationWorkflow, JobWorkflow],
            activities=[across.reconcile, jobs.run_batch],
            max_concurrent_activities=2,
            max_concurrent_workflow_tasks=2,
            max_cached_workflows=20,
        ),
    )


def deliveries_of(settings: Settings, database: Database, precedence: Precedence) -> DeliveryActivities:
    password = settings.smtp_password
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        timeout=settings.smtp_timeout_seconds,
    )
    return DeliveryActivities(
        database,
        server,
        precedence,
        sender=settings.mail_from,
        public_url=str(settings.public_url),
        signing_key=settings.signing_key.get_secret_value(),
    )


async def schedule_reconciliation(client: Client) -> None:
    """Once for all workers: the schedule lives in the engine."""
    action = ScheduleActionStartWorkflow(
        maintenance.WORKFLOW,
        id="reconciliation",
        task_queue=maintenance.TASK_QUEUE,
        run_timeout=timedelta(minutes=10),
    )
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=RECONCILED_EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(maintenance.SCHEDULE_ID, schedule)


def probes(settings: Settings, client: Client) -> uvicorn.Server:
    """``/healthz`` says that the process runs, ``/readyz`` that it reaches the engine."""
    app = FastAPI(openapi_url=None)

    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def ready(response: Response) -> dict[str, str]:
        is_ready = await engine.answers(client)
        response.status_code = 200 if is_ready else 503
        return {"status": "ok" if is_ready else "engine unreachable"}

    return uvicorn.Server(uvicorn.Config(app, host=settings.http_host, port=settings.worker_port, log_config=None, access_log=False))


async def _patiently(settings: Settings) -> Client:
    """A worker without an engine has nothing to do: it waits for it, and says so."""
    while True:
        try:
            return await engine.connect(settings, engine.Connection.NOW)
        except RuntimeError:
            log.warning("worker.engine_away", address=settings.temporal_address)
            await asyncio.sleep(1)


async def _until_told(relays: Sequence[Relay], server: uvicorn.Server) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment] # signals are ours
    relaying = [asyncio.create_task(relay.run()) for relay in relays]
    tasks: list[asyncio.Task[Any]] = [*relaying, asyncio.create_task(server.serve())]
    done, _ = await asyncio.wait([*tasks, asyncio.create_task(told.wait())], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in relaying:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done & set(tasks):
        task.result()
