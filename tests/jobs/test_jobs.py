"""A job moves on with its batches: what is held up goes on where it was, and what was lost is done again and not twice."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from activities.maintenance import MaintenanceActivities
from models.jobs.messages import JobFacts
from models.jobs.run import run_batch
from models.jobs.tables import Job
from models.outbox.messages import ReconciliationAt
from models.outbox.tables import Outbox
from models.sla.tables import LedgerEntry
from models.tickets.tables import Ticket
from tests.sla.configuration_cast import id_of
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.system.jobs import HOUR, begun, policy_of_billing, publish


async def test_a_paused_job_waits_and_goes_on_where_it_was(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, _policy, job_id = await recalculating(desk, 5)
    assert (await batch(desk, acme, job_id, 2)).done == 2
    assert (await acme.adam.post(f"/jobs/{job_id}/pause")).json()["status"] == "paused"
    assert (await batch(desk, acme, job_id, 2)).done == 2
    assert (await acme.adam.post(f"/jobs/{job_id}/resume")).json()["status"] == "running"
    assert (await batch(desk, acme, job_id, 2)).done == 4
    assert (await batch(desk, acme, job_id, 2)).has_ended
    assert {ticket.policy_version for ticket in await rows(desk, acme, Ticket)} == {2}
    assert (await acme.adam.post(f"/jobs/{job_id}/pause")).json()["code"] == "job_is_over"


async def test_a_cancelled_job_leaves_what_it_has_not_reached(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, _policy, job_id = await recalculating(desk, 3)
    await batch(desk, acme, job_id, 1)
    assert (await acme.adam.post(f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
    assert (await batch(desk, acme, job_id, 9)).has_ended
    assert [ticket.policy_version for ticket in await rows(desk, acme, Ticket)] == [2, 1, 1]


async def test_a_batch_that_is_lost_before_its_commit_is_done_again_and_not_twice(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, _policy, job_id = await recalculating(desk, 3)
    with pytest.raises(ConnectionError):
        await lose_batch(desk, acme, job_id)
    assert (await rows(desk, acme, Job))[0].done == 0
    assert (await batch(desk, acme, job_id, 9)).done == 3
    retimed = [row for row in await rows(desk, acme, LedgerEntry) if row.kind == "retimed"]
    assert len(retimed) == len({(row.ticket_id, row.metric) for row in retimed})


async def test_a_recalculation_ends_when_a_newer_version_overtakes_it(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, policy, job_id = await recalculating(desk, 2)
    await batch(desk, acme, job_id, 1)
    await publish(acme, policy, 3 * HOUR)
    assert (await batch(desk, acme, job_id, 1)).has_ended
    (job,) = await rows(desk, acme, Job)
    assert (job.status, job.done, job.result) == ("cancelled", 1, {"overtakenBy": 3})


async def test_what_was_opened_after_the_job_began_is_none_of_its_business(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general")
    job_id = int(await begun(acme, "/sla/checks"))
    await acme.open(category="general")
    assert (await batch(desk, acme, job_id, 9)).done == 1


async def test_the_same_work_is_begun_once_at_a_time(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    await begun(acme, "/sla/checks")
    assert (await acme.lars.post("/sla/checks")).json()["code"] == "job_is_running"


@pytest.mark.parametrize("path", ["/sla/checks", "/calendars/{}/recalculations"])
async def test_of_eight_who_begin_the_same_work_at_once_one_does(path: str, quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    path = path.format(await id_of(acme, "/calendars"))
    answers = await asyncio.gather(*(acme.adam.post(path) for _ in range(8)))
    assert sorted(response.status_code for response in answers) == [202] + [409] * 7
    assert len(await rows(desk, acme, Job)) == 1


async def test_a_paused_recalculation_gives_way_to_that_of_a_newer_version(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, policy, paused_id = await recalculating(desk, 2)
    await acme.adam.post(f"/jobs/{paused_id}/pause")
    newer_id = await begun(acme, await publish(acme, policy, 3 * HOUR))
    paused, newer = sorted(await rows(desk, acme, Job), key=lambda job: job.id)
    assert (paused.status, paused.result, newer.status) == ("cancelled", {"overtakenBy": 3}, "running")
    assert (await acme.adam.post(f"/jobs/{paused_id}/resume")).json()["code"] == "job_is_over"
    assert (await batch(desk, acme, int(newer_id), 9)).done == 2
    assert (await batch(desk, acme, paused_id, 9)).has_ended


async def test_one_that_can_not_be_healed_holds_up_no_other(quiet: tuple[Isolated, Desk]) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    tickets = [await acme.open(category="general") for _ in range(2)]
    script = f"DELETE FROM outbox; UPDATE ticket SET policy_version = 77 WHERE id = {tickets[0]['id']}"  # noqa: S608 - a number of ours
    await asyncio.to_thread(isolated.postgres.psql, script, isolated.database)
    maintenance = MaintenanceActivities(desk.database, isolated.urls[1])
    await maintenance.reconcile(ReconciliationAt(at=desk.clock.now() + timedelta(days=9)))
    await maintenance.aclose()
    told = {row.key for row in await rows(desk, acme, Outbox)}
    assert f"ticket-{tickets[1]['id']}" in told
    assert f"ticket-{tickets[0]['id']}" not in told
    script = f"UPDATE ticket SET next_deadline_at = NULL WHERE id = {tickets[0]['id']}"  # noqa: S608 - the tests after this one have no such ticket
    await asyncio.to_thread(isolated.postgres.psql, script, isolated.database)


async def test_a_job_whose_word_was_lost_is_told_again(quiet: tuple[Isolated, Desk]) -> None:
    isolated, desk = quiet
    acme = await desk.merchant()
    await acme.open(category="general")
    job_id = await begun(acme, "/sla/checks")
    while await rows(desk, acme, Outbox):
        await desk.relay_once()
    maintenance = MaintenanceActivities(desk.database, isolated.urls[1])
    healed = await maintenance.reconcile(ReconciliationAt(at=desk.clock.now() + timedelta(minutes=20)))
    await maintenance.aclose()
    assert healed.jobs >= 1
    assert f"job-{job_id}" in [row.key for row in await rows(desk, acme, Outbox)]


@pytest.mark.parametrize("others", ["running", "paused"])
async def test_a_merchant_has_three_live_jobs_at_once(others: str, quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, globex = await desk.merchant(), await desk.merchant()
    path = f"/calendars/{await id_of(acme, '/calendars')}/preview"
    answers = await asyncio.gather(*(acme.adam.post(path) for _ in range(5)))
    assert sorted(response.status_code for response in answers) == [202] * 3 + [409] * 2
    begun_ids = [response.json()["id"] for response in answers if response.status_code == 202]
    if others == "paused":
        for job_id in begun_ids:
            await acme.adam.post(f"/jobs/{job_id}/pause")
    refusal = (await acme.adam.post(path)).json()
    assert refusal["code"] == "too_many_jobs"
    assert refusal["liveJobs"] == [{"id": job_id, "kind": "preview", "status": others} for job_id in sorted(begun_ids)]
    assert "POST /jobs/{id}/cancel" in refusal["detail"]
    assert (await globex.adam.post(f"/calendars/{await id_of(globex, '/calendars')}/preview")).status_code == 202
    await acme.adam.post(f"/jobs/{begun_ids[0]}/cancel")
    assert (await acme.adam.post(path)).status_code == 202


async def test_dry_runs_keep_no_check_from_beginning_and_checks_are_bounded_too(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    path = f"/calendars/{await id_of(acme, '/calendars')}/preview"
    for _ in range(3):
        await begun(acme, path)
    tickets = [await acme.open(category="general") for _ in range(4)]
    answers = [await acme.lars.post("/sla/checks", json={"ticketId": ticket["id"]}) for ticket in tickets]
    assert [response.status_code for response in answers] == [202, 202, 202, 409]
    assert {job["kind"] for job in answers[-1].json()["liveJobs"]} == {"sla_check"}


async def test_a_job_that_is_overtaken_makes_room_for_the_newer_one(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme, policy, _job_id = await recalculating(desk, 1)
    for _ in range(2):
        await begun(acme, f"/calendars/{policy['calendarId']}/preview")
    await begun(acme, await publish(acme, policy, 3 * HOUR))
    assert (await acme.adam.post(f"/calendars/{policy['calendarId']}/preview")).json()["code"] == "too_many_jobs"


async def recalculating(desk: Desk, number: int) -> tuple[Merchant, dict[str, Any], int]:
    """A merchant with so many tickets under version 1 of a policy, and the job that is to bring version 2 to them."""
    acme = await desk.merchant()
    policy = await policy_of_billing(acme, HOUR)
    for _ in range(number):
        await acme.open(category="billing")
    return acme, policy, int(await begun(acme, await publish(acme, policy, 2 * HOUR)))


async def batch(desk: Desk, acme: Merchant, job_id: int, size: int) -> JobFacts:
    async with desk.database.writing(acme.id) as session:
        return await run_batch(session, job_id, desk.clock.now(), size)


async def lose_batch(desk: Desk, acme: Merchant, job_id: int) -> None:
    async with desk.database.writing(acme.id) as session:
        await run_batch(session, job_id, desk.clock.now(), 2)
        raise ConnectionError
