"""The SLA report: what counts, when, and for whom."""

from datetime import timedelta
from typing import Any

import pytest

from api.reports import SlaQuery
from tests.http.test_hostile_queries import HOSTILE
from tests.support.desk import Desk
from tests.support.frozen import NOON, FrozenDesk
from tests.support.isolated import Isolated


@pytest.fixture
async def noon(quiet: tuple[Isolated, Desk]) -> FrozenDesk:
    _, desk = quiet
    return FrozenDesk(desk, await desk.merchant())


async def _met(noon: FrozenDesk) -> str:
    ticket = await noon.open("ana")
    await noon.at(3, noon.acme.ana, ticket, "messages", body="On our way.")
    await noon.at(8, noon.acme.ana, ticket, "resolve")
    return ticket


async def _breached_and_stopped(noon: FrozenDesk) -> str:
    ticket = await noon.open("leo")
    await noon.at(7, noon.acme.leo, ticket, "messages", body="Sorry.")
    await noon.at(20, noon.acme.leo, ticket, "resolve")
    return ticket


async def _breached_and_running(noon: FrozenDesk) -> str:
    """The engine takes the ladder's second rung with the breach: from then on Sina has it."""
    ticket = await noon.open("ana")
    for second in (5, 10):
        await noon.due(second, ticket)
    assert (await noon.acme.get(ticket))["assigneeId"] == str(noon.acme.agents["sina"])
    return ticket


async def _reopened(noon: FrozenDesk) -> str:
    """Resolved without an answer: the first response is cancelled."""
    ticket = await noon.open("ana")
    for second, verb in ((2, "resolve"), (4, "reopen"), (9, "resolve")):
        await noon.at(second, noon.acme.ana, ticket, verb)
    return ticket


async def _handful(noon: FrozenDesk) -> None:
    await noon.configure_a_new_cycle()
    for each in (_met, _breached_and_stopped, _breached_and_running, _reopened):
        await each(noon)
    await noon.at(1, noon.acme.ana, await noon.open("ana"), "close")


def _figures(met: int, breached: int, median: int | None, p90: int | None) -> dict[str, Any]:
    ratio = met / (met + breached) if met + breached else None
    return {"met": met, "breached": breached, "metRatio": ratio, "medianSeconds": median, "p90Seconds": p90}


async def test_a_handful_of_tickets_makes_these_figures(noon: FrozenDesk) -> None:
    await _handful(noon)
    assert await noon.report() == [
        {"metric": "first_response"} | _figures(1, 2, 3, 7),
        {"metric": "resolution"} | _figures(3, 2, 5, 20),
    ]


async def test_each_agent_answers_for_his_own(noon: FrozenDesk) -> None:
    await _handful(noon)
    ana, leo = (str(noon.acme.agents[name]) for name in ("ana", "leo"))
    rows = await noon.report(groupBy="agent,metric", metric="resolution")
    assert rows == [
        {"agentId": ana, "metric": "resolution"} | _figures(3, 1, 5, 8),
        {"agentId": leo, "metric": "resolution"} | _figures(0, 1, 20, 20),
    ]


async def test_without_a_dimension_there_is_one_row_for_everything(noon: FrozenDesk) -> None:
    assert await noon.report(groupBy="none") == [_figures(0, 0, None, None)]
    await _handful(noon)
    assert await noon.report(groupBy="none") == [_figures(4, 4, 5, 20)]


async def test_a_ticket_that_nobody_had_is_grouped_under_null(noon: FrozenDesk) -> None:
    ticket = str((await noon.acme.open())["id"])
    await noon.at(1, noon.acme.adam, ticket, "messages", body="Hello.")
    assert await noon.report(groupBy="agent") == [{"agentId": None} | _figures(1, 0, 1, 1)]


@pytest.mark.parametrize(("first", "end", "met"), [(8, 9, 1), (7, 8, 0), (0, 9, 1), (9, 60, 0)])
async def test_the_first_instant_belongs_to_a_range_and_the_last_does_not(first: int, end: int, met: int, noon: FrozenDesk) -> None:
    await _met(noon)
    rows = await noon.report(first=first, end=end, metric="resolution")
    assert rows == ([{"metric": "resolution"} | _figures(1, 0, 8, 8)] if met else [])


@pytest.mark.parametrize(("first", "end", "figures"), [(10, 11, (0, 1, None, None)), (11, 21, (0, 0, 20, 20)), (11, 20, None)])
async def test_a_breach_counts_when_it_was_and_its_time_when_it_ended(first: int, end: int, figures: Any, noon: FrozenDesk) -> None:
    await _breached_and_stopped(noon)
    rows = await noon.report(first=first, end=end, metric="resolution")
    assert rows == ([{"metric": "resolution"} | _figures(*figures)] if figures else [])


async def test_a_cycle_that_goes_on_after_a_reopen_counts_once_when_it_ends(noon: FrozenDesk) -> None:
    await _reopened(noon)
    assert await noon.report() == [{"metric": "resolution"} | _figures(1, 0, 7, 7)]
    assert await noon.report(first=0, end=9) == []


async def test_a_breach_that_nobody_noticed_is_still_of_the_one_who_had_the_ticket(noon: FrozenDesk) -> None:
    ticket = await noon.open("ana", priority="low")
    await noon.assign(ticket, "leo", second=12)
    await noon.edit(13, ticket, priority="urgent")
    await noon.at(30, noon.acme.leo, ticket, "resolve")
    rows = await noon.report(groupBy="priority,agent", metric="resolution")
    assert rows == [{"priority": "low", "agentId": str(noon.acme.agents["ana"])} | _figures(0, 1, 30, 30)]


async def test_what_was_decided_stays_whose_it_was(noon: FrozenDesk) -> None:
    ticket = await noon.open("ana", priority="low", organizerId="77")
    await noon.at(3, noon.acme.ana, ticket, "messages", body="On our way.")
    await noon.edit(4, ticket, priority="urgent", organizerId="78")
    await noon.assign(ticket, "leo", second=4)
    query: dict[str, Any] = {"groupBy": "priority,agent", "metric": "first_response"}
    assert await noon.report(**query, organizerId="78") == []
    (row,) = await noon.report(**query, organizerId="77,79")
    assert (row["priority"], row["agentId"], row["met"]) == ("low", str(noon.acme.agents["ana"]), 1)


async def test_a_breach_stays_when_its_ticket_is_closed_or_deleted(noon: FrozenDesk) -> None:
    for method in ("POST", "DELETE"):
        ticket = await noon.open("ana")
        noon.now = NOON + timedelta(seconds=12)
        response = await noon.acme.lars.request(method, f"/tickets/{ticket}" + ("/close" if method == "POST" else ""))
        assert response.is_success
    assert await noon.report(metric="resolution") == [{"metric": "resolution"} | _figures(0, 2, None, None)]


async def test_a_token_of_one_organizer_reports_on_it_alone(noon: FrozenDesk) -> None:
    for organizer in ({"organizerId": "77"}, {"organizerId": "78"}, {}):
        await noon.at(3, noon.acme.ana, await noon.open("ana", **organizer), "messages", body="On our way.")
    olive, nobody = (noon.acme.client(f"olive-{len(ids)}", "lead", organizer_ids=ids) for ids in (("77",), ()))
    assert [row["met"] for row in await noon.report()] == [3]
    assert [row["met"] for row in await noon.report(olive)] == [1]
    assert await noon.report(olive, organizerId="78") == []
    assert await noon.report(nobody) == []


async def test_of_another_merchant_there_are_no_figures(noon: FrozenDesk) -> None:
    await _handful(noon)
    globex = await noon.desk.merchant("globex")
    queries: list[dict[str, Any]] = [{}, {"groupBy": "agent"}, {"agentId": str(noon.acme.agents["ana"])}]
    for query in queries:
        assert await noon.report(globex.lars, **query) == []


async def test_the_last_thirty_days_unless_it_is_said(noon: FrozenDesk) -> None:
    await _met(noon)
    noon.now = NOON + timedelta(days=30)
    report = (await noon.acme.lars.get("/reports/sla")).json()
    assert (report["from"], report["to"], report["groupBy"]) == ("2026-03-02T12:00:00Z", "2026-04-01T12:00:00Z", ["metric"])
    assert [row["met"] for row in report["data"]] == [1, 1]
    noon.now += timedelta(seconds=9)
    assert (await noon.acme.lars.get("/reports/sla")).json()["data"] == []


BAD = {
    "from=2026-03-02T12:00:00": "/query/from",
    "to=2026-03-02": "/query/to",
    "from=2026-03-02T12:00:00Z&to=2026-03-02T12:00:00Z": "/query/from",
    "from=2999-01-01T00:00:00Z": "/query/from",
    "to=0001-01-01T00:00:00Z": "/query/to",
    "groupBy=organizer": "/query/groupBy/0",
    "groupBy=": "/query/groupBy/0",
    "groupBy=none,team": "/query/groupBy/0",
    "groupBy=metric,,team": "/query/groupBy/1",
    "metric=speed": "/query/metric/0",
    "teamId=nobody": "/query/teamId/0",
    "agentId=9223372036854775808": "/query/agentId/0",
    "status=open": "/query/status",
}


@pytest.mark.parametrize(("query", "pointer"), BAD.items())
async def test_what_can_not_be_reported_is_refused_by_name(query: str, pointer: str, noon: FrozenDesk) -> None:
    response = await noon.acme.lars.get(f"/reports/sla?{query}")
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize("ends", [("2025-03-01T11:59:59Z", "2026-03-02T12:00:08.1Z"), ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")])
async def test_no_range_is_too_long(ends: tuple[str, str], noon: FrozenDesk) -> None:
    await _met(noon)
    response = await noon.acme.lars.get(
        "/reports/sla", params={"from": ends[0], "to": ends[1], "groupBy": "team,team", "metric": "resolution"}
    )
    assert [row["met"] for row in response.json()["data"]] == [1], response.text


@pytest.mark.parametrize("name", sorted(field.alias or name for name, field in SlaQuery.model_fields.items()))
async def test_no_value_of_a_parameter_breaks_the_report(name: str, noon: FrozenDesk) -> None:
    for value in HOSTILE:
        response = await noon.acme.lars.get(f"/reports/sla?{name}={value}")
        assert response.status_code in {200, 422}, (name, value, response.text)
