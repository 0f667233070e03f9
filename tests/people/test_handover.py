"""An agent's tickets are handed over by a job; an agent who is retired is left with none, whatever happens at that moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import col

from models.audit import SYSTEM, Change
from models.jobs.run import run_batch
from models.jobs.tables import Job
from models.people.audit import edit
from models.people.tables import Agent
from models.sla.clock import ClockStatus
from models.tickets.aggregate import TicketAggregate
from models.tickets.assign import assign_automatically, assign_by_hand
from models.tickets.lifecycle import Transition
from models.tickets.repository import lock, save, with_id
from models.tickets.tables import Ticket
from models.tickets.transitions import transition
from tests.support.auditor import rows
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated


@pytest.fixture
async def acme(quiet: tuple[Isolated, Desk]) -> Merchant:
    """Acme, where nothing moves by itself."""
    return await quiet[1].merchant()


async def of_ana(merchant: Merchant, count: int = 1) -> list[str]:
    """The ids of tickets that Ana has."""
    ids = [str((await merchant.open(category="general"))["id"]) for _ in range(count)]
    for id_ in ids:
        assert (await merchant.lars.post(f"/tickets/{id_}/assign", json={"agentId": str(merchant.agents["ana"])})).status_code == 200
    return ids


async def handed_over(merchant: Merchant, **body: Any) -> dict[str, Any]:
    """What the job says when it is done."""
    answer = await merchant.lars.post(f"/agents/{merchant.agents['ana']}/handover", json=body)
    assert answer.status_code == 202, answer.text
    await run_jobs(merchant)
    return dict((await merchant.lars.get(f"/jobs/{answer.json()['id']}")).json())


async def run_jobs(merchant: Merchant) -> None:
    """As the worker does."""
    desk = merchant.desk
    for job in await rows(desk, merchant, Job, col(Job.status) == "running"):
        goes_on = True
        while goes_on:
            async with desk.database.writing(merchant.id) as session:
                goes_on = (await run_batch(session, job.id, desk.clock.now())).goes_on


async def owners(merchant: Merchant, ids: list[str]) -> list[str | None]:
    names = {str(id_): name for name, id_ in merchant.agents.items()} | {None: None}
    return [names[(await merchant.get(id_))["assigneeId"]] for id_ in ids]


async def say(merchant: Merchant, **states: str) -> None:
    for name, state in states.items():
        path = f"/agents/{merchant.agents[name]}/availability"
        assert (await merchant.lars.put(path, json={"state": state})).status_code == 200


async def test_all_tickets_go_to_the_best_of_the_others(acme: Merchant) -> None:
    ids = await of_ana(acme, 3)
    job = await handed_over(acme, tickets="all")
    assert (job["status"], job["total"], job["changed"], job["request"]["agentId"]) == ("done", 3, 3, str(acme.agents["ana"]))
    assert await owners(acme, ids) == ["leo"] * 3
    entry = (await acme.adam.get("/audit", params={"kind": "agent.handover_begun"})).json()["data"][0]
    assert (entry["subjectId"], entry["changes"]) == (
        str(acme.agents["ana"]),
        {"agentId": [None, str(acme.agents["ana"])], "tickets": [None, "all"]},
    )


async def test_those_at_risk_are_those_that_are_late_or_were_warned_about(acme: Merchant) -> None:
    ids = await of_ana(acme, 3)
    async with acme.desk.database.writing(acme.id) as session:
        for id_, status in zip(ids, (ClockStatus.IMMINENT, ClockStatus.BREACHED), strict=False):
            await session.execute(sa.update(Ticket).where(col(Ticket.id) == int(id_)).values(sla_status=status))
    assert (await handed_over(acme, tickets="at_risk"))["changed"] == 2
    assert await owners(acme, ids) == ["leo", "leo", "ana"]


async def test_a_person_names_who_gets_them_whatever_their_load(acme: Merchant) -> None:
    ids = await of_ana(acme, 2)
    await say(acme, lars="away")
    await handed_over(acme, tickets="all", toAgentId=str(acme.agents["lars"]))
    assert await owners(acme, ids) == ["lars", "lars"]


async def test_nobody_else_free_they_stay_with_who_is_there_and_wait_otherwise(acme: Merchant) -> None:
    ids = await of_ana(acme, 2)
    await say(acme, leo="away", sina="away")
    job = await handed_over(acme, tickets="all")
    assert (job["done"], job["changed"]) == (2, 0)
    assert await owners(acme, ids) == ["ana", "ana"]
    await say(acme, ana="away")
    assert (await handed_over(acme, tickets="all"))["changed"] == 2
    assert await owners(acme, ids) == [None, None]
    await say(acme, leo="available")
    assert await owners(acme, ids) == ["leo", "leo"]


@pytest.mark.parametrize(
    ("to", "code"), [("ana", "same_agent"), ("9", "unknown_agent"), ("leo", "unknown_agent")], ids=["themselves", "nobody", "a retired one"]
)
async def test_who_can_not_get_them_is_refused(to: str, code: str, acme: Merchant) -> None:
    await acme.adam.delete(f"/agents/{acme.agents['leo']}")
    body = {"tickets": "all", "toAgentId": str(acme.agents.get(to, to))}
    answer = await acme.lars.post(f"/agents/{acme.agents['ana']}/handover", json=body)
    assert (answer.status_code, [(each["pointer"], each["code"]) for each in answer.json()["errors"]]) == (422, [("/toAgentId", code)])


async def test_a_lead_steers_a_handover_and_no_recalculation(acme: Merchant) -> None:
    job = (await acme.lars.post(f"/agents/{acme.agents['ana']}/handover", json={"tickets": "all"})).json()
    assert (await acme.lars.post(f"/jobs/{job['id']}/pause")).json()["status"] == "paused"
    assert (await acme.lars.post(f"/jobs/{job['id']}/cancel")).json()["status"] == "cancelled"
    calendar = (await acme.lars.get("/calendars")).json()["data"][0]["id"]
    other = (await acme.adam.post(f"/calendars/{calendar}/recalculations")).json()
    assert (await acme.lars.post(f"/jobs/{other['id']}/pause")).status_code == 403


async def test_who_leads_retires_into_the_same_role_first(acme: Merchant) -> None:
    """What was escalated does not go back to an agent as long as there is another senior."""
    (ticket,) = [str((await acme.open(category="general"))["id"])]
    await acme.lars.post(f"/tickets/{ticket}/assign", json={"agentId": str(acme.agents["sina"])})
    async with acme.desk.database.writing(acme.id) as session:
        await session.execute(sa.update(Agent).where(col(Agent.id) == acme.agents["leo"]).values(role="senior"))
    assert (await acme.adam.delete(f"/agents/{acme.agents['sina']}")).status_code == 204
    await run_jobs(acme)
    assert await owners(acme, [ticket]) == ["leo"]


Verb = Callable[[TicketAggregate, Merchant], Awaitable[object]]
VERBS: dict[str, Verb] = {
    "by hand": lambda ticket, merchant: assign_by_hand(ticket, merchant.agents["ana"]),
    "automatically": lambda ticket, _: assign_automatically(ticket),
    "by reopening": lambda ticket, _: transition(ticket, Transition.REOPEN),
}


@pytest.mark.parametrize("how", VERBS)
async def test_what_is_assigned_in_the_moment_of_a_retirement_is_handed_over(
    how: str, acme: Merchant, quiet: tuple[Isolated, Desk]
) -> None:
    """The retirement waits for the assignment that is under way; one that comes after it is refused."""
    ticket_id = await _prepared(acme, how)
    desk, path = acme.desk, f"/agents/{acme.agents['ana']}"
    async with desk.database.writing(acme.id) as session:
        ticket = await lock(session, with_id(int(ticket_id)), Change(by=SYSTEM, at=desk.clock.now()))
        await VERBS[how](ticket, acme)
        await save(ticket)
        retiring = asyncio.create_task(acme.adam.delete(path))
        await desk.until(lambda: _waits_or_is_done(quiet[0], retiring), bool)
    assert (await retiring).status_code == 204
    await run_jobs(acme)
    assert await owners(acme, [ticket_id]) == ["leo"]


async def _prepared(merchant: Merchant, how: str) -> str:
    if how == "by reopening":
        (ticket_id,) = await of_ana(merchant)
        assert (await merchant.ana.post(f"/tickets/{ticket_id}/resolve")).status_code == 200
        return ticket_id
    return str((await merchant.open(category="general"))["id"])


async def _waits_or_is_done(isolated: Isolated, task: asyncio.Task[httpx.Response]) -> bool:
    return task.done() or await isolated.waits()


async def test_after_their_retirement_a_ticket_that_is_reopened_waits_for_another(acme: Merchant) -> None:
    ids = await of_ana(acme, 2)
    assert (await acme.ana.post(f"/tickets/{ids[0]}/resolve")).status_code == 200
    assert (await acme.lars.delete(f"/tickets/{ids[1]}")).status_code == 204
    assert (await acme.adam.delete(f"/agents/{acme.agents['ana']}")).status_code == 204
    assert await owners(acme, ids[:1]) == ["ana"]
    assert (await acme.rita.post(f"/tickets/{ids[0]}/messages", json={"body": "Still broken."})).status_code == 201
    assert (await acme.adam.post(f"/tickets/{ids[1]}/restore")).status_code == 200
    assert await owners(acme, ids) == ["leo", "leo"]


async def test_a_ticket_that_is_reopened_leaves_a_retired_team(acme: Merchant) -> None:
    team = (await acme.adam.post("/teams", json={"name": "Tills"})).json()["id"]
    ids = [str((await acme.open(category="general"))["id"]) for _ in range(2)]
    for id_ in ids:
        assert (await acme.lars.post(f"/tickets/{id_}/assign", json={"teamId": team})).status_code == 200
        assert (await acme.lars.post(f"/tickets/{id_}/resolve")).status_code == 200
    assert (await acme.adam.delete(f"/teams/{team}")).status_code == 204
    for id_ in ids:
        assert (await acme.lars.post(f"/tickets/{id_}/reopen")).status_code == 200
        assert (await acme.get(id_))["teamId"] != team
    assert await owners(acme, ids) == ["ana", "leo"]


async def test_a_stale_retirement_is_refused_and_hands_over_nothing(acme: Merchant) -> None:
    ids = await of_ana(acme)
    async with acme.desk.database.writing(acme.id) as session:
        agent = await session.get_one(Agent, (acme.id, acme.agents["ana"]))
        await edit(session, agent, {"capacity": 3}, Change(by=SYSTEM, at=acme.desk.clock.now()), "agent.edited")
    path = f"/agents/{acme.agents['ana']}"
    assert (await acme.adam.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert await owners(acme, ids) == ["ana"]
    assert not await rows(acme.desk, acme, Job)
