"""Every route under the base path, and what each role gets from it on a ticket that it may see: by the table of permissions.

A test fails when a route has no line here.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from api.app import ROUTERS
from api.http.transaction import TransactionRoute
from models.people.permissions import Permission, Scope, may
from models.people.roles import Role
from tests.support.desk import Merchant

FILE = Path(__file__).with_name("statuses.txt")
NOWHERE = "9"
ROLES = {"rita": "reporter", "ana": "agent", "sina": "senior", "lars": "lead", "adam": "admin", "olga": "operator"}

# What a request gets that its caller's permission lets through. The policies name a calendar that is not there, and the merge a ticket:
# test_configuration.py and test_merge.py have those that are taken.
TABLE = """
POST   /tickets                                           201
GET    /tickets                                           200
GET    /tickets/count                                     200
GET    /tickets/{ticket_id}                               200
PATCH  /tickets/{ticket_id}                               200
DELETE /tickets/{ticket_id}                               204
POST   /tickets/{ticket_id}/restore                       200
POST   /tickets/{ticket_id}/messages                      201
GET    /tickets/{ticket_id}/messages                      200
POST   /tickets/{ticket_id}/notes                         201
GET    /tickets/{ticket_id}/notes                         200
POST   /tickets/{ticket_id}/assign                        200
POST   /tickets/{ticket_id}/claim                         200
POST   /tickets/{ticket_id}/unassign                      200
POST   /tickets/{ticket_id}/escalate                      200
POST   /tickets/{ticket_id}/acknowledge                   200
POST   /tickets/{ticket_id}/pending                       200
POST   /tickets/{ticket_id}/hold                          200
POST   /tickets/{ticket_id}/snooze                        200
POST   /tickets/{ticket_id}/merge                         404
POST   /tickets/{ticket_id}/resume                        200
POST   /tickets/{ticket_id}/resolve                       200
POST   /tickets/{ticket_id}/reopen                        200
POST   /tickets/{ticket_id}/close                         200
GET    /tickets/{ticket_id}/events                        200
GET    /tickets/{ticket_id}/escalations                   200
GET    /tickets/{ticket_id}/notifications                 200
GET    /tickets/{ticket_id}/sla                           200
GET    /tickets/{ticket_id}/sla/timeline                  200
GET    /tickets/{ticket_id}/context                       200
GET    /notifications                                     200
POST   /notifications/{notification_id}/replay            404
POST   /notifications/replays                             202
POST   /calendars/{calendar_id}/preview                   202
POST   /calendars/{calendar_id}/recalculations            202
POST   /sla-policies/preview                              422
POST   /sla-policies/{policy_id}/preview                  202
POST   /sla-policies/{policy_id}/recalculations           202
POST   /escalation-ladders/{ladder_id}/preview            202
POST   /escalation-ladders/{ladder_id}/recalculations     202
POST   /sla/checks                                        202
GET    /jobs                                              200
GET    /jobs/{job_id}                                     404
POST   /jobs/{job_id}/pause                               404
POST   /jobs/{job_id}/resume                              404
POST   /jobs/{job_id}/cancel                              404
GET    /calendars                                         200
POST   /calendars                                         201
POST   /calendars/preview                                 200
GET    /calendars/{calendar_id}                           200
GET    /calendars/{calendar_id}/versions                  200
POST   /calendars/{calendar_id}/versions                  201
GET    /calendars/{calendar_id}/versions/{version}        200
GET    /sla-policies                                      200
POST   /sla-policies                                      422
GET    /sla-policies/order                                200
PUT    /sla-policies/order                                422
GET    /sla-policies/{policy_id}                          200
GET    /sla-policies/{policy_id}/versions                 200
POST   /sla-policies/{policy_id}/versions                 422
GET    /sla-policies/{policy_id}/versions/{version}       200
GET    /escalation-ladders                                200
POST   /escalation-ladders                                201
GET    /escalation-ladders/{ladder_id}                    200
GET    /escalation-ladders/{ladder_id}/versions           200
POST   /escalation-ladders/{ladder_id}/versions           201
GET    /escalation-ladders/{ladder_id}/versions/{version} 200
GET    /me                                                200
GET    /merchants                                         200
POST   /merchants                                         201
GET    /merchants/{merchant_id}                           200
PATCH  /merchants/{merchant_id}                           200
POST   /merchants/{merchant_id}/close                     200
POST   /merchants/{merchant_id}/reopen                    200
GET    /agents                                            200
POST   /agents                                            422
GET    /agents/{agent_id}                                 200
PATCH  /agents/{agent_id}                                 200
DELETE /agents/{agent_id}                                 204
POST   /agents/{agent_id}/handover                        202
GET    /teams                                             200
POST   /teams                                             201
GET    /teams/{team_id}                                   404
PATCH  /teams/{team_id}                                   404
DELETE /teams/{team_id}                                   404
GET    /categories                                        200
POST   /categories                                        422
GET    /categories/{name}                                 404
PATCH  /categories/{name}                                 404
DELETE /categories/{name}                                 404
GET    /audit                                             200
PUT    /agents/{agent_id}/availability                    200
GET    /reports/sla                                       200
GET    /reports/queues                                    200
"""

_OF_ONE = {"olga": 403}  # her token is of one merchant: test_merchants.py has one that is of all
OTHERWISE = {
    "GET /merchants": _OF_ONE,
    "POST /merchants": _OF_ONE,
    "POST /tickets/{ticket_id}/claim": {"adam": 409, "olga": 409},  # they are no agents of the team: there is nothing to claim with
    "PUT /agents/{agent_id}/availability": {"sina": 403},  # Ana's; a senior says it of themselves only
}
REFUSED = {Scope.HIDDEN: 404, Scope.NONE: 403, Scope.SEEN: 403}

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
    "POST /merchants": {"name": "Acme", "slug": "acme"},
    "POST /agents": {"sub": "ana", "name": "Ana", "email": "ana@desk.example", "role": "agent", "teamId": NOWHERE},
    "PATCH /agents/{agent_id}": {"capacity": 5},
    "POST /agents/{agent_id}/handover": {"tickets": "all"},
    "POST /teams": {"name": "Tills"},
    "PATCH /teams/{team_id}": {"name": "Tills"},
    "POST /categories": {"name": "tills", "teamId": NOWHERE},
    "PATCH /categories/{name}": {"isDefault": True},
    "PATCH /merchants/{merchant_id}": {"reopenWithinSeconds": 60},
    "PUT /agents/{agent_id}/availability": {"state": "away"},
    "POST /calendars": CALENDAR,
    "POST /calendars/preview": {"calendar": CALENDAR, "start": "2026-03-02T08:00:00Z", "seconds": 60},
    "POST /calendars/{calendar_id}/versions": CALENDAR,
    "POST /sla-policies": POLICY,
    "PUT /sla-policies/order": {"ids": []},
    "POST /sla-policies/preview": {"definition": POLICY, "ticketSample": {}},
    "POST /sla-policies/{policy_id}/versions": POLICY,
    "POST /escalation-ladders": LADDER,
    "POST /escalation-ladders/{ladder_id}/versions": LADDER,
}
BEFORE = {"restore": ("DELETE", ""), "resume": ("POST", "/hold"), "reopen": ("POST", "/resolve"), "acknowledge": ("POST", "/escalate")}


class Route(NamedTuple):
    method: str
    path: str
    permission: Permission
    allowed: int

    def status(self, name: str) -> int:
        """What a person of :data:`ROLES` gets."""
        scope = may([Role(ROLES[name])], self.permission)
        return REFUSED[scope] if scope in REFUSED else OTHERWISE.get(name_of(self), {}).get(name, self.allowed)

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
        """Ids that are not given lead nowhere. A ticket is opened for ``organizer``, if one is given."""
        path = self.path.format_map(defaultdict(lambda: NOWHERE, ids))
        of = {"organizerId": ids["organizer"]} if "organizer" in ids else {}
        body = self.body | of if name_of(self) == "POST /tickets" else self.body
        return await client.request(self.method, path, json=body, headers={"If-Match": "*"})


def by_hand() -> dict[str, dict[str, int]]:
    """``statuses.txt``: for each route what each column gets, as a person wrote it."""
    header, *lines = (line.split() for line in FILE.read_text().splitlines())
    return {" ".join(line[:2]): dict(zip(header[1:], map(int, line[2:]), strict=True)) for line in lines}


def permissions() -> dict[tuple[str, str], Permission]:
    """Of the routes that have one."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, TransactionRoute)]
    return {(method, route.path): route.permission for route in routes for method in route.methods or ()}


def _routes() -> list[Route]:
    known, lines = permissions(), (line.split() for line in TABLE.strip().splitlines())
    return [Route(method, path, known[method, path], int(allowed)) for method, path, allowed in lines]


ROUTES = _routes()
WITH_IDS = [route for route in ROUTES if "{" in route.path]


async def configuration_of(merchant: Merchant) -> dict[str, str]:
    """The ids of a rule of each kind, and a version that they all have."""
    paths = {"calendar_id": "/calendars", "policy_id": "/sla-policies", "ladder_id": "/escalation-ladders"}
    ids = {name: (await merchant.lars.get(path)).json()["data"][0]["id"] for name, path in paths.items()}
    return ids | {"version": "1"}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"
