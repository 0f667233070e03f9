"""PostgreSQL is restored from a backup: the workflows, which are ahead, follow it, and nothing is told twice."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from deploy.local.postgres import FAST_AND_LOSABLE, EmbeddedPostgres, _binary
from models.jobs import messages as jobs
from models.notifications.tables import Notification
from models.outbox.resync import resync
from models.tickets import messages as tickets
from models.tickets.tables import Ticket
from tests.rehearsals.restore import typed
from tests.support.auditor import audit, rows
from tests.support.desk import Desk, Merchant, working_desk
from tests.support.isolated import ROOT, Isolated, still_desk
from tests.system.jobs import HOUR, begun, over, policy_of_billing
from tests.system.verbs import do, say


@pytest.fixture
def second_cluster(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Another server, empty but for the roles: as after the loss of the first."""
    server = EmbeddedPostgres(tmp_path / "second", settings=FAST_AND_LOSABLE)
    server.start()
    yield server
    server.stop()


@pytest.mark.slow
async def test_after_a_restore_the_workflows_follow_the_database_and_nothing_is_told_twice(
    isolated: Isolated, second_cluster: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with at_work(isolated) as desk:
        acme = await desk.merchant()
        await policy_of_billing(acme, HOUR)
        opened = [await acme.opened_and_assigned(category="billing") for _ in range(4)]
        await audit(desk, acme)
    ahead, closed, overdue, untouched = opened
    async with still_desk(isolated) as desk:
        await say(on(desk, acme).ana, ahead)
    backup, url = str(tmp_path / "backup"), second_cluster.url
    await asyncio.to_thread(operate, "Back up", OLD=isolated.postgres.url("postgres", isolated.database), BACKUP=backup)

    async with at_work(isolated) as desk:
        await go_on_after_the_backup(desk, on(desk, acme), ahead["id"], closed, overdue)
        gap = await on(desk, acme).opened_and_assigned(category="billing")
    told = addressees(desk)
    isolated = isolated._replace(postgres=second_cluster, database="helpdesk")
    await asyncio.to_thread(operate, "Restore", NEW_SERVER=url("postgres", "postgres"), NEW=url("postgres"), BACKUP=backup)

    async with still_desk(isolated) as desk:
        tomorrow = desk.clock.now() + timedelta(days=1)
        done = await resync(desk.database, isolated.urls[1], tomorrow)
    assert (done.tickets, done.failed) == (4, 0)
    assert done.notifications > 1
    await asyncio.to_thread(resync_again, isolated)
    async with at_work(isolated) as desk:
        acme = on(desk, acme)
        await audit(desk, acme)
        seen = {str(ticket.id): ticket.status for ticket in await rows(desk, acme, Ticket)}
        assert seen == {ahead["id"]: "open", closed["id"]: "open", overdue["id"]: "open", untouched["id"]: "open"}
        assert "unknown" in {notification.status for notification in await rows(desk, acme, Notification)}
        assert addressees(desk) == told
        assert (await acme.ana.get(f"/tickets/{gap['id']}")).status_code == HTTPStatus.NOT_FOUND
        again = await acme.opened_and_assigned(category="billing")
        assert (again["number"], again["id"] == gap["id"]) == (gap["number"], False), "numbers go on from the backup's, and ids are new"
        await do(acme.ana, closed, "resolve")
        await audit(desk, acme)


async def test_the_workflow_of_a_ticket_or_a_job_that_the_backup_does_not_have_ends(desk: Desk, acme: Merchant) -> None:
    about = {"number": 7, "status": "new", "priority": "normal", "sla_status": None, "escalation_level": 0, "is_assigned": False}
    facts = tickets.TicketFacts.model_validate({"merchant_id": acme.id, "ticket_id": 7, "version": 1, "deadlines": (), **about})
    job = jobs.JobFacts(merchant_id=acme.id, job_id=7, version=1, kind="sla_check", total=1, done=0)
    for workflow, input_, queue in (
        (tickets.WORKFLOW, tickets.TicketLife(facts=facts), tickets.TASK_QUEUE),
        (jobs.WORKFLOW, job, jobs.TASK_QUEUE),
    ):
        with pytest.raises(WorkflowFailureError):
            await asyncio.wait_for(desk.client.execute_workflow(workflow, input_, id=f"{workflow}-{acme.id}", task_queue=queue), 30)


async def go_on_after_the_backup(desk: Desk, acme: Merchant, ahead: str, closed: dict[str, str], overdue: dict[str, str]) -> None:
    """Every workflow but one hears of versions that the backup does not have; one of them ends."""
    for priority in ("high", "urgent", "low"):
        changed = await acme.lars.patch(f"/tickets/{ahead}", json={"priority": priority}, headers={"If-Match": "*"})
        assert changed.is_success, changed.text
    await do(acme.ana, {"id": ahead}, "pending")
    await do(acme.lars, closed, "close")
    desk.clock.ahead += timedelta(days=1)
    assert (await over(desk, acme, await begun(acme, "/sla/checks", {"ticketId": overdue["id"]})))["changed"] == 1
    desk.clock.ahead = timedelta()
    await audit(desk, acme)


@asynccontextmanager
async def at_work(isolated: Isolated) -> AsyncIterator[Desk]:
    parts = (await isolated.environment(), isolated.urls, isolated.identity, isolated.jwks_url, isolated.smtp_port, isolated.mails)
    async with working_desk(*parts) as desk:
        yield desk


def on(desk: Desk, merchant: Merchant) -> Merchant:
    """The same merchant at another desk."""
    return replace(merchant, desk=desk, clients={})


def addressees(desk: Desk) -> Counter[str]:
    return Counter(f"{mail.to} {mail.subject}" for mail in desk.emails())


def resync_again(isolated: Isolated) -> None:
    """As an operator does it."""
    environment = {**os.environ, **isolated.settings(), "RUN_MODE": "resync"}
    done = subprocess.run(
        [sys.executable, "-m", "deploy"], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = next(json.loads(line) for line in done.stdout.splitlines() if "resync.done" in line)
    assert (said["notifications"], said["failed"]) == (0, 0)


def operate(section: str, **names: str) -> None:
    """Type what docs/operations.md has an operator type there; the resync is the test's own."""
    script = typed(section).replace("RUN_MODE=resync python -m deploy\n", "")
    environment = {"PATH": f"{_binary('psql').parent}:{os.environ['PATH']}", **names}
    subprocess.run(["/bin/sh", "-ec", script], env=environment, cwd=ROOT, check=True, capture_output=True, timeout=60)
