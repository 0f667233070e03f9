"""The worker process: settings -> adapters -> activities -> run.

It serves the task queues that its settings name, relays what their workflows must hear of, and answers health probes.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import structlog
import uvicorn
from temporalio.client import Client
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import Runtime
from temporalio.worker import Interceptor, Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.email.smtp import SmtpServer, accept_local_domains
from activities.job import JobActivities
from activities.maintenance import MaintenanceActivities
from activities.notification import DeliveryActivities
from activities.ticket import TicketActivities
from models.db.session import Database
from models.jobs import messages as job
from models.notifications import messages as delivery
from models.outbox import messages as maintenance
from models.outbox.dispatch import Dispatcher
from models.outbox.relay import DELIVERIES, FACTS, Relay
from models.outbox.schedule import schedule_reconciliation
from models.platform import logging as logs
from models.platform import temporal, tracing
from models.platform.database import open_pool
from models.platform.gauges import Gauges
from models.platform.probes import Probes
from models.platform.scrape import of_pool, of_temporal, scraped
from models.platform.serving import served
from models.platform.settings import Settings, WorkerQueue
from models.platform.zones import use_packaged_time_zones
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
"""Few, so that a slow mail server is not met by a crowd."""
JOBS_AT_ONCE = 2
"""Each has one connection of the pool for some seconds, then it is the next job's turn."""
RECONNECT_SECONDS = 1
log = structlog.get_logger()


class Activities(NamedTuple):
    """What can be done, by queue; the reconciliation is maintenance."""

    tickets: TicketActivities
    deliveries: DeliveryActivities
    reconciliation: MaintenanceActivities
    jobs: JobActivities


async def run(
    settings: Settings, *, node: int, code: str, interceptors: Sequence[Interceptor] = (), listener: socket.socket | None = None
) -> None:
    """Work until SIGTERM or SIGINT; what is under way then has twenty seconds to end.

    ``node`` is the ten bits in every id, ``code`` its service's. On ``listener``, if it is shared with other
    processes, the probes are answered.
    """
    use_packaged_time_zones()
    accept_local_domains()
    logs.configure(settings.log_level)
    with tracing.recorded(settings, "helpdesk-worker", code) as traced:
        await _work(settings, node, listener, traced, interceptors)


async def _work(
    settings: Settings,
    node: int,
    listener: socket.socket | None,
    traced: Sequence[ClientInterceptor],
    interceptors: Sequence[Interceptor],
) -> None:
    runtime = temporal.measured(settings.http_host, settings.temporal_metrics_port)
    asked = await temporal.connect(settings, temporal.Connection.WHEN_USED)  # for the probes: a client that waits can't work, says the SDK
    database, probes, gauges = open_pool(settings, node), Probes(asked), Gauges(str(settings.database_relay_url))
    look = (partial(of_pool, database), partial(of_temporal, partial(temporal.is_reachable, asked)), gauges.look)
    answering = uvicorn.Config(probes.app, host=settings.http_host, port=settings.worker_port, log_config=None, access_log=False)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.aclose)
        stack.push_async_callback(gauges.aclose)
        await stack.enter_async_context(scraped(settings.http_host, settings.worker_metrics_port, look))
        serving = await stack.enter_async_context(served(answering, listener))
        client = await _connect(settings, runtime, traced)
        relays = relays_of(settings, client)
        activities, deployment = _activities(settings, database, relays[WorkerQueue.TICKETS], stack), deployment_of(settings)
        workers = workers_of(client, FREE, activities, queues=settings.worker_queues, interceptors=interceptors, deployment=deployment)
        gc.collect()
        gc.freeze()  # see api/main.py; before the first workflow comes, which does not stay
        for worker in workers:
            await stack.enter_async_context(worker)
        await schedule_reconciliation(client)
        probes.is_working = True
        log.info("worker.ready", task_queues=list(settings.worker_queues))
        await _until_signalled({relays[queue] for queue in settings.worker_queues}, serving)
        probes.is_working = False


def _activities(settings: Settings, database: Database, facts: Relay, stack: contextlib.AsyncExitStack) -> Activities:
    """What they have open is closed with the ``stack``."""
    reconciliation = MaintenanceActivities(database, str(settings.database_relay_url))
    stack.push_async_callback(reconciliation.aclose)
    deliveries = deliveries_of(settings, database)
    stack.push_async_callback(deliveries.aclose)
    return Activities(TicketActivities(database, facts), deliveries, reconciliation, JobActivities(database, facts))


def relays_of(settings: Settings, client: Client) -> dict[WorkerQueue, Relay]:
    """By the queue whose process runs it. Both tickets and jobs change tickets, so they share the relay of facts.

    The relay of notifications is triggered by no commit, so that a merchant's notifications find company for half a second.
    """
    url = str(settings.database_relay_url)
    dispatcher = Dispatcher(client, retry_seconds=settings.mail_retry_seconds, public_url=str(settings.public_url))
    facts, deliveries = Relay(url, dispatcher, FACTS), Relay(url, dispatcher, DELIVERIES, pause=0.5)
    return {WorkerQueue.TICKETS: facts, WorkerQueue.NOTIFICATIONS: deliveries, WorkerQueue.JOBS: facts, WorkerQueue.MAINTENANCE: facts}


def workers_of(  # noqa: PLR0913 - each says another thing about the workers
    client: Client,
    runner: WorkflowRunner,
    activities: Activities,
    *,
    queues: Iterable[WorkerQueue] = WorkerQueue,
    interceptors: Sequence[Interceptor] = (),
    deployment: WorkerDeploymentConfig | None = None,
) -> Sequence[Worker]:
    """One for each of the ``queues``: a slow mail server can't hold up an escalation."""
    worker = partial(
        Worker, client, workflow_runner=runner, interceptors=interceptors, deployment_config=deployment, graceful_shutdown_timeout=GRACE
    )
    makers = {
        WorkerQueue.TICKETS: lambda: _of_tickets(worker, activities.tickets),
        WorkerQueue.NOTIFICATIONS: lambda: _of_notifications(worker, activities.deliveries),
        WorkerQueue.JOBS: lambda: _of_jobs(worker, activities.jobs),
        WorkerQueue.MAINTENANCE: lambda: _of_maintenance(worker, activities.reconciliation),
    }
    return [makers[queue]() for queue in queues]


def deployment_of(settings: Settings) -> WorkerDeploymentConfig | None:
    """With a build id Temporal knows a worker's release, and gives it tasks once that release is made the current one.

    A ticket lives for months: its workflow goes over to each current release with its next task.
    """
    if settings.worker_build_id is None:
        return None
    version = WorkerDeploymentVersion(settings.worker_deployment, settings.worker_build_id)
    return WorkerDeploymentConfig(version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE)


def _of_tickets(worker: partial[Worker], tickets: TicketActivities) -> Worker:
    return worker(
        task_queue=ticket.TASK_QUEUE,
        workflows=[TicketWorkflow],
        activities=[tickets.assign, tickets.run_due],
        max_concurrent_activities=AT_ONCE,
        max_concurrent_local_activities=AT_ONCE,
        max_concurrent_workflow_tasks=20,
        max_cached_workflows=800,  # an eighth of a megabyte each; one that is not kept is replayed when something happens to it
    )


def _of_notifications(worker: partial[Worker], deliveries: DeliveryActivities) -> Worker:
    return worker(
        task_queue=delivery.TASK_QUEUE,
        workflows=[DeliveryWorkflow],
        activities=[deliveries.deliver],
        max_concurrent_activities=DELIVERIES_AT_ONCE,
        max_concurrent_local_activities=DELIVERIES_AT_ONCE,
        max_concurrent_workflow_tasks=DELIVERIES_AT_ONCE,
        max_cached_workflows=100,  # a delivery ends with its first task
    )


def _of_jobs(worker: partial[Worker], jobs: JobActivities) -> Worker:
    return worker(
        task_queue=job.TASK_QUEUE,
        workflows=[JobWorkflow],
        activities=[jobs.run_batch],
        max_concurrent_activities=JOBS_AT_ONCE,
        max_concurrent_workflow_tasks=2,
        max_cached_workflows=20,
        disable_eager_activity_execution=True,  # each turn of a job waits in Temporal's queue, which is in order and fair
    )


def _of_maintenance(worker: partial[Worker], reconciliation: MaintenanceActivities) -> Worker:
    return worker(
        task_queue=maintenance.TASK_QUEUE,
        workflows=[ReconciliationWorkflow],
        activities=[reconciliation.reconcile],
        max_concurrent_activities=2,
        max_concurrent_workflow_tasks=2,
        max_cached_workflows=20,
    )


def deliveries_of(settings: Settings, database: Database) -> DeliveryActivities:
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
        sender=settings.mail_from,
        public_url=str(settings.public_url),
        signing_keys=settings.plain_signing_keys,
        hourly_limit=settings.mail_hourly_limit,
    )


async def _connect(settings: Settings, runtime: Runtime, interceptors: Sequence[ClientInterceptor]) -> Client:
    """A worker without Temporal has nothing to do: it tries again until Temporal is there, and logs each failure."""
    while True:
        try:
            return await temporal.connect(settings, temporal.Connection.NOW, runtime, interceptors)
        except RuntimeError as error:
            log.warning(
                "worker.temporal_unreachable", address=settings.temporal_address, error=str(error), retry_in_seconds=RECONNECT_SECONDS
            )
            await asyncio.sleep(RECONNECT_SECONDS)


async def _until_signalled(relays: Iterable[Relay], serving: asyncio.Task[None]) -> None:
    """Run until a signal, or until a relay or the probes fail: then raise their error."""
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled.set)
    relaying = [asyncio.create_task(relay.run()) for relay in relays]
    tasks: set[asyncio.Task[Any]] = {*relaying, serving}
    done, _ = await asyncio.wait([*tasks, asyncio.create_task(signalled.wait())], return_when=asyncio.FIRST_COMPLETED)
    for task in relaying:
        task.cancel()
    await asyncio.gather(*relaying, return_exceptions=True)
    for task in done & tasks:
        task.result()
