"""What Prometheus finds at an API and at a worker as they are deployed, after a ticket's life."""

from datetime import timedelta

import httpx
import pytest

from deploy.app_info import APP_INFO
from deploy.local.temporal import free_port
from models.platform.metrics import API, BOTH, SDK, TABLE, WORKER
from tests.deploy.grafana.dashboards import queries, series
from tests.platform.scraped import Scraped, scrape, scraped_until
from tests.support.api_process import api_process
from tests.support.desk import BASE, Merchant
from tests.support.isolated import Isolated, still_desk, worker_process

TICKETS = "/tickets"
OF_FAILURES = "temporal_workflow_task_execution_failed_total"
"""The SDK has no series of it before the first failure."""


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_tickets_life_is_seen_at_the_api_and_at_the_worker(isolated: Isolated) -> None:
    api, worker, sdk = free_port(), free_port(), free_port()
    async with still_desk(isolated) as desk:
        acme = await desk.merchant()
        desk.clock.ahead = -timedelta(minutes=1)  # every rung is due when the ticket is opened
        await acme.open()
        async with (
            worker_process(isolated, "deploy", worker_metrics_port=worker, temporal_metrics_port=sdk),
            api_process(isolated, http_metrics_port=api) as (_, port),
        ):
            await open_over_http(acme, port)
            of_api = await scrape(api)
            await scraped_until(desk, worker, has_lived)
            of_worker = await scraped_until(desk, worker, is_calm)
            of_sdk = await scrape(sdk)

    assert of_api["helpdesk_http_requests_total"]["POST", TICKETS, "201"] == 1
    assert of_api["helpdesk_http_requests_total"]["other", "none", "404"] == 1
    assert of_api["helpdesk_http_request_duration_seconds_count"]["POST", TICKETS] == 1
    assert of_api["helpdesk_jwks_fetches_total"]["fetched",] >= 1
    assert of_api["helpdesk_jwks_age_seconds"][()] < 240
    for found in (of_api, of_worker):
        assert found["helpdesk_build_info"] == {(APP_INFO.code, str(APP_INFO.node)): 1}
        assert found["helpdesk_temporal_up"][()] == 1
        assert found["helpdesk_database_pool_size"][()] == 10
        assert found["helpdesk_database_connection_wait_seconds_count"][()] > 0
    assert of_worker["helpdesk_database_gauges_up"][()] == 1
    assert of_worker["helpdesk_tickets_at_work"]["breached",] == 1
    assert of_worker["helpdesk_delivery_attempt_duration_seconds_count"]["email",] > 0
    assert of_worker["helpdesk_relay_rows_total"]["sent", "delivery"] > 0
    assert sum(of_worker["helpdesk_reconciliation_healed_total"].values()) == 0
    missing = [
        d.name
        for d in TABLE
        for place, found in ((API, of_api), (WORKER, of_worker))
        if d.found_in in (place, BOTH) and not _in(d.name, found)
    ]
    assert not missing
    shown = set().union(*map(series, queries())) - {OF_FAILURES}
    assert not [name for name in shown if not any(_in(name, found) for found in (of_api, of_worker, of_sdk))]
    assert not [d.name for d in TABLE if d.found_in == SDK and not _in(d.name, of_sdk) and d.name != OF_FAILURES], sorted(of_sdk)


def _in(name: str, found: Scraped) -> bool:
    """The parser names a counter's family without its ending."""
    return name in found or name.removesuffix("_total") in found


async def open_over_http(acme: Merchant, port: int) -> None:
    headers = {"Authorization": acme.rita.headers["Authorization"]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
        body = {"subject": "The till does not open", "description": "Since this morning.", "category": "general"}
        assert (await client.post(BASE + TICKETS, json=body)).status_code == 201
        assert (await client.request("PROPFIND", f"/{acme.id}")).status_code == 404


def has_lived(found: Scraped) -> bool:
    """Breached, escalated, and told."""
    sent = sum(count for (_, _, outcome), count in found["helpdesk_notifications_total"].items() if outcome == "sent")
    rungs = found.get("helpdesk_escalations_total", {})
    acted = found.get("helpdesk_deadline_lateness_seconds_count", {})
    return (
        sent >= 4 and any(rungs.values()) and acted.get(("escalate",), 0) >= 3 and found["helpdesk_sla_breaches_total"]["resolution",] == 1
    )


def is_calm(found: Scraped) -> bool:
    """Nothing waits."""
    names = ("helpdesk_outbox_rows", "helpdesk_outbox_oldest_age_seconds", "helpdesk_deadlines_overdue", "helpdesk_notifications_open")
    return not any(count for name in names for count in found[name].values())
