"""Every route under the base path, and what each role gets from it on a ticket that it may see.

A test fails when a route has no line here.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx

from tests.support.desk import Merchant

NOWHERE = "9"
ROLES = {"rita": "reporter", "ana": "agent", "sina": "senior", "lars": "lead", "adam": "admin", "olga": "operator"}

# Rita reports, Adam and Olga are no agents of the team: so there is nothing for them to claim with.
# The policy that they publish names a calendar that is not there: test_rules.py has those that are taken.
TABLE = """
route                                  rita  ana sina lars adam olga
POST   /tickets                         201  201  201  201  201  201
GET    /tickets                         200  200  200  200  200  200
GET    /tickets/count                   200  200  200  200  200  200
GET    /tickets/{ticket_id}             200  200  200  200  200  200
PATCH  /tickets/{ticket_id}             403  200  200  200  200  200
DELETE /tickets/{ticket_id}             403  403  403  204  204  204
POST   /tickets/{ticket_id}/restore     403  403  403  403  200  200
POST   /tickets/{ticket_id}/messages    201  201  201  201  201  201
GET    /tickets/{ticket_id}/messages    200  200  200  200  200  200
POST   /tickets/{ticket_id}/notes       404  201  201  201  201  201
GET    /tickets/{ticket_id}/notes       404  200  200  200  200  200
POST   /tickets/{ticket_id}/assign      403  200  200  200  200  200
POST   /tickets/{ticket_id}/claim       403  200  200  200  409  409
POST   /tickets/{ticket_id}/unassign    403  200  200  200  200  200
POST   /tickets/{ticket_id}/escalate    403  200  200  200  200  200
POST   /tickets/{ticket_id}/acknowledge 403  200  200  200  200  200
POST   /tickets/{ticket_id}/pending     403  200  200  200  200  200
POST   /tickets/{ticket_id}/hold        403  200  200  200  200  200
POST   /tickets/{ticket_id}/snooze      403  200  200  200  200  200
POST   /tickets/{ticket_id}/merge       403  404  404  404  404  404
POST   /tickets/{ticket_id}/resume      403  200  200  200  200  200
POST   /tickets/{ticket_id}/resolve     200  200  200  200  200  200
POST   /tickets/{ticket_id}/reopen      200  200  200  200  200  200
POST   /tickets/{ticket_id}/close       200  200  200  200  200  200
GET    /tickets/{ticket_id}/events      403  200  200  200  200  200
GET    /tickets/{ticket_id}/escalations 403  200  200  200  200  200
GET    /tickets/{ticket_id}/notifications 403 200 200  200  200  200
GET    /tickets/{ticket_id}/sla         403  200  200  200  200  200
GET    /tickets/{ticket_id}/sla/timeline 403 200  200  200  200  200
GET    /tickets/{ticket_id}/context     403  200  200  200  200  200
GET    /notifications                   403  403  403  200  200  200
POST   /notifications/{notification_id}/replay 404 403 403 404 404 404
POST   /calendars/{calendar_id}/preview    403  403  403  403  202  202
POST   /calendars/{calendar_id}/recalculations    403  403  403  403  202  202
POST   /sla-policies/preview               403  403  403  403  422  422
POST   /sla-policies/{policy_id}/preview    403  403  403  403  202  202
POST   /sla-policies/{policy_id}/recalculations    403  403  403  403  202  202
POST   /escalation-ladders/{ladder_id}/preview    403  403  403  403  202  202
POST   /escalation-ladders/{ladder_id}/recalculations    403  403  403  403  202  202
POST   /sla/checks                      403  403  403  202  202  202
GET    /jobs                            403  403  403  200  200  200
GET    /jobs/{job_id}                   403  403  403  404  404  404
POST   /jobs/{job_id}/pause             403  403  403  404  404  404
POST   /jobs/{job_id}/resume            403  403  403  404  404  404
POST   /jobs/{job_id}/cancel            403  403  403  404  404  404
GET    /calendars                       403  200  200  200  200  200
POST   /calendars                       403  403  403  403  201  201
POST   /calendars/preview               403  200  200  200  200  200
GET    /calendars/{calendar_id}         403  200  200  200  200  200
GET    /calendars/{calendar_id}/versions 403 200  200  200  200  200
POST   /calendars/{calendar_id}/versions 403 403  403  403  201  201
GET    /calendars/{calendar_id}/versions/{version} 403 200 200 200 200 200
GET    /sla-policies                    403  200  200  200  200  200
POST   /sla-policies                    403  403  403  403  422  422
GET    /sla-policies/{policy_id}        403  200  200  200  200  200
GET    /sla-policies/{policy_id}/versions 403 200 200  200  200  200
POST   /sla-policies/{policy_id}/versions 403 403 403  403  422  422
GET    /sla-policies/{policy_id}/versions/{version} 403 200 200 200 200 200
GET    /escalation-ladders              403  200  200  200  200  200
POST   /escalation-ladders              403  403  403  403  201  201
GET    /escalation-ladders/{ladder_id}  403  200  200  200  200  200
GET    /escalation-ladders/{ladder_id}/versions 403 200 200 200 200 200
POST   /escalation-ladders/{ladder_id}/versions 403 403 403 403 201 201
GET    /escalation-ladders/{ladder_id}/versions/{version} 403 200 200 200 200 200
GET    /me                              200  200  200  200  200  200
GET    /merchants/{merchant_id}         403  403  403  403  200  200
PATCH  /merchants/{merchant_id}         403  403  403  403  200  200
GET    /agents                          403  200  200  200  200  200
GET    /agents/{agent_id}               403  200  200  200  200  200
PUT    /agents/{agent_id}/availability  403  200  403  200  200  200
GET    /reports/sla                     403  403  403  200  200  200
GET    /reports/queues                  403  403  403  200  200  200
"""

PUBLIC = {("GET", "/surveys/{token}"), ("POST", "/surveys/{token}")}
"""A survey's link needs no token; test_surveys.py has its strangers."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CALENDAR = {"name": "Always", "timeZone": "UTC", "weekly": {day: [["00:00", "24:00"]] for day in DAYS}}
POLICY = {"name": "Desk", "calendarId": NOWHERE, "targets": {"high": {"resolutionSeconds": 60}}}
LADDER = {"name": "Steps", "rungs": [{"level": 1, "atFraction": 0.5, "notify": ["lead"]}]}

BODIES: dict[str, Any] = {
    "POST /tickets": {"subject": "The till", "description": "It is stuck.", "category": "general"},
    "PATCH /tickets/{ticket_id}": {"subject": "The other till"},
    "POST /tickets/{ticket_id}/messages": {"body": "Hello."},
    "POST /tickets/{ticket_id}/notes": {"body": "Hello."},
    "POST /tickets/{ticket_id}/assign": {"auto": True},
    "POST /tickets/{ticket_id}/escalate": {"reason": "It burns."},
    "POST /tickets/{ticket_id}/snooze": {"until": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
    "POST /tickets/{ticket_id}/merge": {"intoTicketId": NOWHERE},
    "PATCH /merchants/{merchant_id}": {"reopenWithinSeconds": 60},
    "PUT /agents/{agent_id}/availability": {"state": "away"},
    "POST /calendars": CALENDAR,
    "POST /calendars/preview": {"calendar": CALENDAR, "start": "2026-03-02T08:00:00Z", "seconds": 60},
    "POST /calendars/{calendar_id}/versions": CALENDAR,
    "POST /sla-policies": POLICY,
    "POST /sla-policies/preview": {"definition": POLICY, "ticketSample": {}},
    "POST /sla-policies/{policy_id}/versions": POLICY,
    "POST /escalation-ladders": LADDER,
    "POST /escalation-ladders/{ladder_id}/versions": LADDER,
}
BEFORE = {"restore": ("DELETE", ""), "resume": ("POST", "/hold"), "reopen": ("POST", "/resolve"), "acknowledge": ("POST", "/escalate")}


class Route(NamedTuple):
    method: str
    path: str
    statuses: dict[str, int]

    @property
    def body(self) -> Any:
        return BODIES.get(f"{self.method} {self.path}")

    async def prepare(self, merchant: Merchant, ticket_id: str) -> None:
        """Bring the ticket into a state from which the verb leads on."""
        method, part = BEFORE.get(self.path.rpartition("/")[2], ("", ""))
        if method:
            body = {"reason": "It burns."} if part == "/escalate" else None
            answer = await merchant.lars.request(method, f"/tickets/{ticket_id}{part}", json=body)
            assert answer.is_success, answer.text

    async def call(self, client: httpx.AsyncClient, **ids: int | str) -> httpx.Response:
        """Ids that are not given lead nowhere."""
        path = self.path.format_map(defaultdict(lambda: NOWHERE, ids))
        return await client.request(self.method, path, json=self.body, headers={"If-Match": "*"})


def _routes() -> list[Route]:
    names, *lines = (line.split() for line in TABLE.strip().splitlines())
    return [Route(method, path, dict(zip(names[1:], map(int, statuses), strict=True))) for method, path, *statuses in lines]


ROUTES = _routes()
WITH_IDS = [route for route in ROUTES if "{" in route.path]


async def configuration_of(merchant: Merchant) -> dict[str, str]:
    """The ids of a rule of each kind, and a version that they all have."""
    paths = {"calendar_id": "/calendars", "policy_id": "/sla-policies", "ladder_id": "/escalation-ladders"}
    ids = {name: (await merchant.lars.get(path)).json()["data"][0]["id"] for name, path in paths.items()}
    return ids | {"version": "1"}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"
