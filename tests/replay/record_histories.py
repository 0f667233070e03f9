"""Record a history of each shape, from the real Temporal server: ``python -m pytest tests/replay/record_histories.py``.

Not collected by default. Record again only when a shape is added: the histories in the folder stand for the tickets that are running out
there, and new code must be able to replay them. Nothing of the machine that recorded stays in them.
"""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from deploy.local.identity import DevelopmentIdentity
from deploy.local.postgres import EmbeddedPostgres
from models.outbox import messages as maintenance
from tests.support.auditor import audit, facts_of
from tests.support.desk import Desk, Merchant, working_desk
from tests.support.isolated import Isolated, empty_database, migrated, workflow_server
from tests.support.mail_server import say as answers
from tests.support.mail_server import serving
from tests.system.jobs import HOUR, begun, over, policy_of_billing, publish
from tests.system.verbs import do, happened, known, reach, say

FOLDER = Path(__file__).with_name("histories")


async def test_record_a_plain_life(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await say(acme.ana, ticket)
    for verb in ("pending", "resume", "resolve"):
        await do(acme.ana, ticket, verb)
        await known(desk, acme, ticket)
    await reach(desk, acme, ticket, "survey")
    await happened(desk, acme, ticket, "survey.sent")
    await reach(desk, acme, ticket, "auto_close")
    await ended(desk, ticket)
    await keep(desk.client, "plain_life", f"ticket-{ticket['id']}")


async def test_record_an_escalation_to_level_three(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await reach(desk, acme, ticket, "escalate resolution/1/3")
    await happened(desk, acme, ticket, "escalation.reassigned", 2)
    await do(acme.lars, ticket, "close")
    await ended(desk, ticket)
    await keep(desk.client, "escalated_to_level_three", f"ticket-{ticket['id']}")


async def test_record_an_outage(desk: Desk, acme: Merchant) -> None:
    desk.clock.ahead = -timedelta(minutes=1)
    ticket = await acme.open()
    desk.clock.ahead = timedelta()
    await desk.until(lambda: acme.get(ticket["id"]), lambda seen: seen["escalationLevel"] == 3)
    await do(acme.lars, ticket, "close")
    await ended(desk, ticket)
    await keep(desk.client, "everything_due_at_once", f"ticket-{ticket['id']}")


async def test_record_a_reopening_and_a_deletion(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await do(acme.ana, ticket, "resolve")
    await known(desk, acme, ticket)
    await say(acme.rita, ticket, "It still does not open.")
    await known(desk, acme, ticket)
    assert (await acme.adam.delete(f"/tickets/{ticket['id']}")).is_success
    await ended(desk, ticket)
    await keep(desk.client, "reopened_and_deleted", f"ticket-{ticket['id']}")


async def test_record_a_delivery_and_a_reconciliation(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    await audit(desk, acme)
    notifications = (await acme.get(ticket["id"], "/notifications"))["data"]
    await keep(desk.client, "delivery_sent", await desk.delivery_of(acme, notifications[0]["id"]))
    await desk.client.execute_workflow(maintenance.WORKFLOW, id="reconciliation-recorded", task_queue=maintenance.TASK_QUEUE)
    await keep(desk.client, "reconciliation", "reconciliation-recorded")


async def test_record_a_recalculation(desk: Desk, acme: Merchant) -> None:
    policy = await policy_of_billing(acme, HOUR)
    await acme.opened_and_assigned(category="billing")
    job_id = await begun(acme, await publish(acme, policy, 2 * HOUR))
    await over(desk, acme, job_id)
    await desk.client.get_workflow_handle(f"job-{job_id}").result()
    await keep(desk.client, "job", f"job-{job_id}")


async def test_record_a_dead_letter_and_a_long_ticket(
    postgres: EmbeddedPostgres,
    identity: DevelopmentIdentity,
    jwks_url: str,
    tmp_path: Path,
) -> None:
    early = {"limit__historyCount__suggestContinueAsNew": "25"}
    with empty_database(postgres, "recorded") as database, workflow_server(tmp_path / "engine", **early) as server:
        await migrated(postgres, database)
        async with serving(tricks={"RCPT": answers("550 5.1.1 No such mailbox")}) as mailbox:
            isolated = Isolated(postgres, database, server, identity, jwks_url, mailbox.port, tmp_path)
            async with working_desk(await isolated.environment(), isolated.urls, identity, jwks_url, mailbox.port, tmp_path) as desk:
                await dead_letter_and_long_ticket(desk)


async def dead_letter_and_long_ticket(desk: Desk) -> None:
    acme = await desk.merchant()
    ticket = await acme.opened_and_assigned(category="general")
    workflow_id = f"ticket-{ticket['id']}"
    first_run = (await desk.client.get_workflow_handle(workflow_id).describe()).run_id
    while (await desk.client.get_workflow_handle(workflow_id).describe()).run_id == first_run:
        for verb in ("pending", "resume"):
            await do(acme.ana, ticket, verb)
            await known(desk, acme, ticket)
    await keep(desk.client, "continued_as_new", workflow_id, first_run)
    await do(acme.ana, ticket, "close")
    await ended(desk, ticket)
    await keep(desk.client, "after_continuing_as_new", workflow_id)
    await audit(desk, acme)
    notifications = (await acme.get(ticket["id"], "/notifications"))["data"]
    await keep(desk.client, "delivery_dead", await desk.delivery_of(acme, notifications[0]["id"]))


async def ended(desk: Desk, ticket: dict[str, Any]) -> None:
    await desk.client.get_workflow_handle(f"ticket-{ticket['id']}").result()
    assert (await facts_of(desk, ticket["id"])).has_ended


async def keep(client: Client, shape: str, workflow_id: str, run_id: str | None = None) -> None:
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    text = json.dumps(scrubbed(history.to_json_dict()), indent=1, sort_keys=True)
    await asyncio.to_thread((FOLDER / f"{shape}.json").write_text, text + "\n")


def scrubbed(value: Any) -> Any:
    """Without who recorded it: the identity of the worker (process and host), its sticky queue, and the paths of a stack trace."""
    if isinstance(value, list):
        return [scrubbed(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
        return value | {"name": "sticky"}
    kept = {key: scrubbed(each) for key, each in value.items() if key != "stackTrace"}
    return kept | ({"identity": "recorded"} if "identity" in kept else {})
