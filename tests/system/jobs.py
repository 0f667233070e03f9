"""Steps that tests of jobs share."""

from typing import Any

from deploy.local.seed import ALWAYS
from tests.support.desk import Desk, Merchant

HOUR = 3600


async def policy_of_billing(acme: Merchant, resolution_seconds: int, **fields: Any) -> dict[str, Any]:
    """A policy of the test's own, around the clock, for tickets about billing."""
    calendars = (await acme.lars.get("/calendars")).json()["data"]
    always = next(calendar["id"] for calendar in calendars if calendar["name"] == ALWAYS.name)
    body = {"name": "Ours", "match": {"categories": ["billing"]}, "calendarId": always} | targets(resolution_seconds) | fields
    response = await acme.adam.post("/sla-policies", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def proposal(policy: dict[str, Any], resolution_seconds: int) -> dict[str, Any]:
    body = {name: value for name, value in policy.items() if name not in ("id", "version", "createdAt", "createdBy")}
    return body | targets(resolution_seconds)


def targets(resolution_seconds: int) -> dict[str, Any]:
    return {"targets": {name: {"resolutionSeconds": resolution_seconds} for name in ("low", "normal", "high", "urgent")}}


async def publish(acme: Merchant, policy: dict[str, Any], resolution_seconds: int) -> str:
    """Publish a new version; the path that brings it to open tickets."""
    path = f"/sla-policies/{policy['id']}"
    response = await acme.adam.post(f"{path}/versions", json=proposal(policy, resolution_seconds))
    assert response.status_code == 201, response.text
    return f"{path}/recalculations"


async def begun(acme: Merchant, path: str, body: dict[str, Any] | None = None) -> str:
    response = await acme.adam.post(path, json=body)
    assert response.status_code == 202, response.text
    assert response.headers["Location"].endswith(response.json()["id"])
    return str(response.json()["id"])


async def over(desk: Desk, acme: Merchant, job_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        return dict((await acme.lars.get(f"/jobs/{job_id}")).json())

    return await desk.until(look, lambda job: job["status"] in ("done", "cancelled"))


async def resolution(acme: Merchant, ticket: dict[str, Any]) -> dict[str, Any]:
    return next(dict(cycle) for cycle in (await acme.get(ticket["id"], "/sla"))["data"] if cycle["metric"] == "resolution")
