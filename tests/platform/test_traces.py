"""One trace tells a ticket's life, from the request to the e-mail, and tells nobody's name."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from deploy.local.temporal import free_port
from tests.support.api_process import api_process
from tests.support.collector import Collector, Seen, collecting
from tests.support.desk import BASE, Desk, Merchant
from tests.support.isolated import ROOT, Isolated, still_desk, worker_process

TICKETS = f"{BASE}/tickets"
OPENED = f"POST {TICKETS}"
SUBJECT, QUERY, FORGED = "The till does not open", "rita.private", f"00-{'ab' * 16}-{'cd' * 8}-01"
PATH_OF_AN_EMAIL = [
    "SMTP DATA",
    "RunActivity:notification.deliver",
    "StartActivity:notification.deliver",
    "StartWorkflow:Delivery",
    "RunActivity:ticket.assign",
    "StartActivity:ticket.assign",
    "StartWorkflow:Ticket",
    OPENED,
]
"""From the end to the begin: each the child of the next."""


@pytest.fixture(autouse=True)
def _sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_one_trace_tells_a_tickets_life_and_no_worker_tells_it_twice(isolated: Isolated, capfd: pytest.CaptureFixture[str]) -> None:
    async with still_desk(isolated) as desk, collecting() as collector:
        acme, to = await desk.merchant(), collector.endpoint
        async with api_process(isolated, otlp_endpoint=to) as (_, port), api(port, acme) as client:
            async with worker_process(isolated, "deploy", otlp_endpoint=to):
                opened = await client.post("/tickets", json={"subject": SUBJECT, "description": "Since today.", "category": "general"})
                assert opened.status_code == 201
                await seen(desk, collector, lambda: len(collector.named("SMTP DATA")) >= 2)
                told = await seen(desk, collector, lambda: len(collector.named("CompleteWorkflow:Delivery")) >= 2)
            trace = named(told, OPENED).trace
            before = Counter(span.name for span in collector.of_trace(trace))
            async with worker_process(isolated, "deploy", otlp_endpoint=to):  # the first was killed: this one has to replay
                await client.get("/tickets", params={"q": QUERY})
                await client.get("/portal/tickets/a-token-of-somebody")
                closed = await client.post(
                    f"/tickets/{opened.json()['id']}/close", json={"reason": "It is urgent."}, headers={"If-Match": "*"}
                )
                assert closed.status_code == 200, closed.text
                await seen(desk, collector, lambda: bool(collector.named("CompleteWorkflow:Ticket")))

    assert len(collector.named(OPENED)) == 1
    assert FORGED[3:35] not in {span.trace for span in collector.spans}
    assert {span.service for span in collector.of_trace(trace)} == {"SVC-00120 helpdesk-api", "SVC-00120 helpdesk-worker"}
    assert way_up(collector, trace, "RunActivity:ticket.assign") == PATH_OF_AN_EMAIL
    assert {span.attributes["helpdesk.request_id"] for span in collector.named(OPENED)} == {opened.headers["X-Request-Id"]}
    assert any(span.parent == named(told, OPENED).id and span.attributes.get("db.statement") for span in told)
    after = Counter(span.name for span in collector.of_trace(trace))
    assert after["RunWorkflow:Ticket"] == 1
    assert {name: count for name, count in after.items() if count != before[name]}.keys() == {
        "HandleSignal:adopt",
        "CompleteWorkflow:Ticket",
    }
    assert collector.named("HandleSignal:adopt")[0].links == [named(collector.spans, f"POST {TICKETS}/{{ticket_id}}/close").trace]
    for private in (SUBJECT, QUERY, "a-token-of-somebody", "rita", ".test", "Bearer", "urgent", FORGED[3:35]):
        assert private.encode() not in collector.received
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    of_trace = {line["event"] for line in lines if line.get("trace_id") == trace}
    assert {"ticket.assign", "notification.deliver"} <= of_trace


async def test_what_was_recorded_is_sent_at_the_end() -> None:
    async with collecting() as collector:
        await run_to_its_end(collector.endpoint)
    assert [span.name for span in collector.spans] == ["the last request"]


async def test_a_collector_that_is_away_holds_up_no_end() -> None:
    await run_to_its_end(f"http://127.0.0.1:{free_port()}")


async def run_to_its_end(endpoint: str) -> None:
    """A process that ends as one of several does: nothing that waits for the interpreter's end is called."""
    script = f"""if True:
        import os
        from opentelemetry import trace
        from models.platform.spans import recorded
        with recorded("{endpoint}/v1/traces", 1, "helpdesk-api", "SVC-00120"):
            trace.get_tracer("test").start_span("the last request", kind=trace.SpanKind.SERVER).end()
        os._exit(0)
    """
    environment = {**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT, env=environment)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


@pytest.mark.timeout(180)
async def test_an_api_sends_what_it_recorded_when_it_is_told_to_stop(quiet: tuple[Isolated, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    acme = await quiet[1].merchant()
    async with collecting() as collector:
        async with api_process(quiet[0], otlp_endpoint=collector.endpoint) as (process, port), api(port, acme) as client:
            assert (await client.get("/me")).status_code == 200
            process.terminate()
            await process.wait()
        assert collector.named(f"GET {BASE}/me")


def api(port: int, acme: Merchant) -> httpx.AsyncClient:
    headers = {"Authorization": acme.rita.headers["Authorization"], "traceparent": FORGED, "tracestate": "a=rita", "baggage": "who=rita"}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{BASE}", headers=headers, timeout=30)


async def seen(desk: Desk, collector: Collector, is_so: Callable[[], bool]) -> list[Seen]:
    """Every span that is there once it is so."""

    async def look() -> list[Seen]:
        return list(collector.spans)

    return await desk.until(look, lambda _: is_so(), seconds=60)


def named(spans: list[Seen], name: str) -> Seen:
    (found,) = (span for span in spans if span.name == name)
    return found


def way_up(collector: Collector, trace: str, through: str) -> list[str]:
    """The names from an e-mail up to the begin of its trace; of the e-mail that follows from ``through``."""
    by_id = {span.id: span for span in collector.of_trace(trace)}
    ways = []
    for span in collector.named("SMTP DATA"):
        way, at = [span.name], by_id.get(span.parent)
        while at:
            way.append(at.name)
            at = by_id.get(at.parent)
        ways.append(way)
    return next((way for way in ways if through in way), ways[0] if ways else [])
