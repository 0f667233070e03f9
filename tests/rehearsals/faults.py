"""For every alert: the fault, and the repair that its runbook names.

Each is a generator. Its docstring says the fault. Up to its first ``yield`` it makes the fault, and yields what the repair is; then it
repairs. What stands behind a second ``yield`` waits until the alert is over, and tidies up.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import httpx

from models.outbox.messages import SCHEDULE_ID
from models.people.roles import Role
from tests.rehearsals import desk
from tests.rehearsals.stage import Stage, until

Fault = Callable[[Stage], Iterator[str]]
SPIKE = 12
"""Tickets: more breaches than the ten that an alert waits for."""
CALLERS = 8
"""Of each of two merchants; a merchant may have six of a process's ten connections."""


def api_down(stage: Stage) -> Iterator[str]:
    """The API is killed."""
    stage.api.kill()
    yield "Start it again."
    stage.api.start()


def worker_down(stage: Stage) -> Iterator[str]:
    """The only worker is killed."""
    stage.worker.kill()
    yield "Start it again."
    stage.worker.start()


def queue_lag(stage: Stage) -> Iterator[str]:
    """The only worker serves no tickets, and a ticket's deadlines pass."""
    stage.worker.stop()
    stage.worker.start(APP_ENV_WORKER_QUEUES="notifications,maintenance")
    desk.opened(stage, "demo-fast")
    yield "Start another worker, with APP_ENV_WORKER_QUEUES=tickets."
    with stage.another_worker(APP_ENV_WORKER_QUEUES="tickets"):
        yield ""
    stage.worker.stop()
    stage.worker.start()


def notification_fail(stage: Stage) -> Iterator[str]:
    """The mail server is away, until an e-mail has failed for good."""
    stage.stop_mail()
    desk.opened(stage)
    with desk.lead(stage) as lars:
        until(lambda: dead(lars), bool)
        yield "Start the mail server; replay what is dead."
        stage.start_mail()
        yield until(lambda: replayed(lars), lambda left: not left) or ""


def dead(lars: httpx.Client) -> list[dict[str, Any]]:
    return list(lars.get("/notifications", params={"status": "dead"}).json()["data"])


def replayed(lars: httpx.Client) -> str:
    """Replay each notification that is dead; the ids of those that there were. What was under way may still die."""
    left = dead(lars)
    for each in left:
        response = lars.post(f"/notifications/{each['id']}/replay")
        assert response.is_success, response.text
    return " ".join(each["id"] for each in left)


def breach_spike(stage: Stage) -> Iterator[str]:
    """A policy that nobody can meet: twelve tickets exceed its targets of seconds."""
    stage.up_for(seconds=20)  # the usual, with which the rule compares, is what was before
    desk.opened(stage, "demo-fast", count=SPIKE)
    yield "Publish a version of the policy that can be met."
    with stage.client("demo-adam", desk.MERCHANT, Role.ADMIN) as adam:
        fast = next(each for each in adam.get("/sla-policies").json()["data"] if each["match"].get("categories") == ["demo-fast"])
        asked = {name: value for name, value in fast.items() if name not in ("id", "version", "createdAt", "createdBy")}
        hours = {"targets": {name: {"resolutionSeconds": 4 * 3600} for name in fast["targets"]}}
        published = adam.post(f"/sla-policies/{fast['id']}/versions", json=asked | hours)
        assert published.status_code == HTTPStatus.CREATED, published.text
        yield ""
        adam.post(f"/sla-policies/{fast['id']}/versions", json=asked).raise_for_status()


def outbox_age(stage: Stage) -> Iterator[str]:
    """No worker serves the queue of notifications: theirs is the relay of the topic `delivery`."""
    stage.worker.stop()
    stage.worker.start(APP_ENV_WORKER_QUEUES="tickets,jobs,maintenance")
    desk.opened(stage)
    yield "Start a worker, with APP_ENV_WORKER_QUEUES=notifications."
    with stage.another_worker(APP_ENV_WORKER_QUEUES="notifications"):
        yield ""
    stage.worker.stop()
    stage.worker.start()


def reconciliation_heals(stage: Stage) -> Iterator[str]:
    """A ticket's workflow is terminated by hand, and its deadlines pass; for each of them it is taken to be three minutes later."""
    ticket = desk.opened(stage, "demo-fast")[0]
    desk.until_assigned(stage, ticket)
    stage.shell(f"temporal workflow terminate --workflow-id ticket-{ticket} --reason rehearsal")
    until(
        lambda: stage.postgres.psql(f"SELECT next_deadline_at < now() FROM ticket WHERE id = {ticket}", "helpdesk"),
        lambda is_due: is_due == "t",
    )
    stage.postgres.psql(f"UPDATE ticket SET next_deadline_at = now() - interval '3 minutes' WHERE id = {ticket}", "helpdesk")
    stage.shell(f"temporal schedule trigger --schedule-id {SCHEDULE_ID}")
    yield "This is the repair. Wait until it is done."
    until(lambda: desk.ticket(stage, ticket)["slaStatus"], lambda status: status == "breached")


def jwks_stale(stage: Stage) -> Iterator[str]:
    """The identity service is away, and tokens come with a key that nobody knows."""
    stage.keys.stop()
    with repeated(lambda: _ask_with_an_unknown_key(stage), every=5):
        yield "Start it again."
        stage.keys.start()
        yield ""


def temporal_unreachable(stage: Stage) -> Iterator[str]:
    """Temporal is stopped."""
    stage.temporal.stop()
    desk.opened(stage)
    yield "Start it again."
    stage.temporal.start()


def workflow_task_failures(stage: Stage) -> Iterator[str]:
    """A release with a defect in the workflow of tickets is rolled out."""
    stage.worker.stop()
    stage.defective_worker.start()
    ticket = desk.opened(stage)[0]
    yield "Roll the workers back to the release before."
    stage.defective_worker.stop()
    stage.worker.start()
    desk.until_assigned(stage, ticket)


def pool_exhausted(stage: Stage) -> Iterator[str]:
    """A person's psql holds the lock of a table, while two merchants' people read."""
    held = stage.psql_in_the_background("BEGIN; LOCK TABLE ticket; SELECT pg_sleep(600)")
    with many_readers(stage):
        yield "End the session that holds the lock, as a superuser: SELECT pg_terminate_backend(pid)."
        stage.postgres.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND pid <> pg_backend_pid()"
        )
        yield ""
    held.wait(30)


def database_unreachable(stage: Stage) -> Iterator[str]:
    """PostgreSQL is stopped."""
    stage.postgres.stop()
    yield "Start it again."
    stage.postgres.start()
    with desk.lead(stage) as lars:  # the first request finds the connections of before, and is asked to come again
        until(lambda: lars.get("/tickets").status_code, lambda status: status == HTTPStatus.OK)


def dead_mans_switch(stage: Stage) -> Iterator[str]:
    """Prometheus is killed."""
    stage.prometheus.kill()
    yield "Start it again."
    stage.prometheus.start()


@contextmanager
def repeated(act: Callable[[], object], *, every: float) -> Iterator[None]:
    """In a thread, until the end of the block."""
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.is_set():
            act()
            is_over.wait(every)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(60)


@contextmanager
def many_readers(stage: Stage) -> Iterator[None]:
    is_over, callers = threading.Event(), ((desk.MERCHANT, "demo-lars"), (desk.OTHERS, "other-lea")) * CALLERS
    clients = [stage.client(sub, merchant, Role.LEAD) for merchant, sub in callers]
    threads = [threading.Thread(target=_read_on, args=(client, is_over), daemon=True) for client in clients]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        is_over.set()
        for each in threads:
            each.join(60)


def _read_on(client: httpx.Client, is_over: threading.Event) -> None:
    with client:
        while not is_over.is_set():
            with contextlib.suppress(httpx.TransportError):
                client.get("/tickets")
            is_over.wait(0.1)


def _ask_with_an_unknown_key(stage: Stage) -> None:
    with stage.client("demo-lars", desk.MERCHANT, Role.LEAD, identity=stage.strange_identity) as stranger:
        stranger.get("/tickets")


FAULTS: Final[dict[str, Fault]] = {
    "helpdeskApiDown": api_down,
    "helpdeskWorkerDown": worker_down,
    "helpdeskQueueLag": queue_lag,
    "helpdeskNotificationFail": notification_fail,
    "helpdeskSlaBreachSpike": breach_spike,
    "helpdeskOutboxAge": outbox_age,
    "helpdeskReconciliationHeals": reconciliation_heals,
    "helpdeskJwksStale": jwks_stale,
    "helpdeskTemporalUnreachable": temporal_unreachable,
    "helpdeskWorkflowTaskFailures": workflow_task_failures,
    "helpdeskDatabasePoolExhausted": pool_exhausted,
    "helpdeskDatabaseUnreachable": database_unreachable,
    "helpdeskDeadMansSwitch": dead_mans_switch,
}
