"""What is told once a transaction is committed is not told of one that was rolled back."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.audit import SYSTEM, Change
from models.jobs.run import run_batch
from models.sla.escalate import escalate_by_hand
from models.tickets.repository import lock, save, with_id
from tests.support.desk import Desk, Merchant
from tests.support.isolated import Isolated
from tests.system.jobs import begun

Lines = list[MutableMapping[str, Any]]


async def test_it_is_told_after_the_commit_and_once(desk: Desk, acme: Merchant) -> None:
    told: list[str] = []
    async with desk.database.reading(acme.id) as session:
        session.once_committed(lambda: told.append("done"))
        assert told == []
    assert told == ["done"]


async def test_an_escalation_that_is_rolled_back_is_not_logged(desk: Desk, acme: Merchant) -> None:
    ticket = await acme.opened_and_assigned(category="general")
    with capture_logs() as lines:
        with pytest.raises(ConnectionError):
            await escalate(desk, acme, int(ticket["id"]), is_lost=True)
        assert escalations(lines) == []
        await escalate(desk, acme, int(ticket["id"]))
    assert [line["escalation_level"] for line in escalations(lines)] == [1]


async def escalate(desk: Desk, acme: Merchant, ticket_id: int, *, is_lost: bool = False) -> None:
    async with desk.database.writing(acme.id) as session:
        ticket = await lock(session, with_id(ticket_id), Change(by=SYSTEM, at=desk.clock.now()))
        await escalate_by_hand(ticket, "as a test", None)
        await save(ticket)
        if is_lost:
            raise ConnectionError


def escalations(lines: Lines) -> Lines:
    return [line for line in lines if str(line["event"]).startswith("escalation.")]


async def test_the_end_of_a_job_that_is_rolled_back_is_not_logged(quiet: tuple[Isolated, Desk]) -> None:
    _, desk = quiet
    acme = await desk.merchant()
    job_id = int(await begun(acme, "/sla/checks"))
    with capture_logs() as lines:
        with pytest.raises(ConnectionError):
            await end(desk, acme, job_id, is_lost=True)
        assert ended(lines) == []
        await end(desk, acme, job_id)
    assert ended(lines) == [("job.done", job_id)]


def ended(lines: Lines) -> list[tuple[str, int]]:
    return [(str(line["event"]), line["job_id"]) for line in lines if "job_id" in line]


async def end(desk: Desk, acme: Merchant, job_id: int, *, is_lost: bool = False) -> None:
    async with desk.database.writing(acme.id) as session:
        assert (await run_batch(session, job_id, desk.clock.now())).has_ended
        if is_lost:
            raise ConnectionError
