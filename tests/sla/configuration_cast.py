"""A calendar, a policy and a ladder to publish in tests."""

from typing import Any

import httpx

from tests.support.desk import Merchant

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PATHS = ("/calendars", "/sla-policies", "/escalation-ladders")


def calendar(**changes: Any) -> dict[str, Any]:
    weekly = {day: [["09:00", "12:30"], ["13:30", "18:00"]] for day in DAYS[:5]}
    return {"name": "Office", "timeZone": "Europe/Berlin", "weekly": weekly} | changes


def ladder(**changes: Any) -> dict[str, Any]:
    first = {"level": 1, "metric": "resolution", "atFraction": 0.5, "notify": ["assignee", "lead"]}
    return {"name": "Steps", "rungs": [first, {"level": 2, "offsetSeconds": 600, "reassign": "senior"}]} | changes


async def policy(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    """A policy for every ticket, before the seeded ones by position."""
    named = {"calendarId": await id_of(merchant, "/calendars"), "ladderId": await id_of(merchant, "/escalation-ladders")}
    return {"name": "Ours", "position": 0, "targets": {"normal": {"resolutionSeconds": 3600}}} | named | changes


async def definition(merchant: Merchant, path: str, **changes: Any) -> dict[str, Any]:
    if path == "/sla-policies":
        return await policy(merchant, **changes)
    return calendar(**changes) if path == "/calendars" else ladder(**changes)


async def id_of(merchant: Merchant, path: str) -> str:
    """The id of the first seeded definition."""
    return str((await merchant.lars.get(path)).json()["data"][0]["id"])


async def published(merchant: Merchant, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await merchant.adam.post(path, json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def refused(response: httpx.Response, pointer: str, code: str | None = None) -> bool:
    assert response.status_code == 422, response.text
    errors = response.json()["errors"]
    assert pointer in [error["pointer"] for error in errors], errors
    return code is None or code in [error["code"] for error in errors]
