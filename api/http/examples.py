"""An example of each shape in the OpenAPI document, held to its schema by a test, and what each of its tags is about."""

from typing import Any, Final

TAGS: Final = {
    "tickets": "Open, find and edit tickets, and change their status",
    "comments": "Public replies and internal notes",
    "history": "What happened to a ticket, and how its SLA stands",
    "notifications": "What people were told, and what could not be delivered",
    "people": "The caller, the agents, their teams, and the categories that lead to them",
    "merchants": "The merchant that a token acts for; an operator makes, lists and closes merchants",
    "audit": "What was changed outside tickets, and by whom",
    "surveys": "The survey behind the link in an e-mail: no token is needed",
    "sla": "Calendars, policies and escalation ladders, published in versions",
    "jobs": "Work over many tickets or notifications",
    "reports": "Figures for those who lead",
    "health": "Probes",
}
_AT: Final = "2026-03-02T08:00:00Z"
_LATER: Final = "2026-03-02T12:00:00Z"
_TICKET_ID: Final = "7301650924187648"
_AGENT_ID: Final = "7301650924187001"
_TEAM_ID: Final = "7301650924187002"
_CALENDAR_ID: Final = "7301650924187003"
_LADDER_ID: Final = "7301650924187004"
_ID: Final = "7301650924187777"
_ANA: Final = {"kind": "agent", "id": _AGENT_ID, "name": "Ana"}
_PERSON: Final = {"sub": "ana", "name": "Ana", "email": "ana@desk.example", "role": "agent", "teamId": _TEAM_ID}
_WEEK: Final = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")} | {"sat": [], "sun": []}
_HOLIDAY: Final = {"date": "2026-12-25", "name": "Christmas", "intervals": None}
_RUNG: Final = {"level": 1, "metric": "resolution", "atFraction": 0.75, "offsetSeconds": None, "notify": ["assignee"], "reassign": "none"}
_TARGETS: Final = {"high": {"firstResponseSeconds": 3600, "nextResponseSeconds": None, "resolutionSeconds": 28800}}
_PAUSES: Final = {"firstResponse": [], "nextResponse": [], "resolution": ["pending", "on_hold"]}

_CALENDAR: Final = {
    "name": "Office",
    "timeZone": "Europe/Berlin",
    "weekly": _WEEK,
    "holidays": [_HOLIDAY],
    "holidayCountry": None,
    "holidaySubdivision": None,
}
_POLICY: Final = {
    "name": "VIP",
    "position": 10,
    "match": {"priorities": ["high"], "categories": [], "organizerIds": [], "tags": ["vip"]},
    "calendarId": _CALENDAR_ID,
    "ladderId": _LADDER_ID,
    "targets": _TARGETS,
    "pauseOn": _PAUSES,
    "warnAtFractions": [0.75],
    "onReopen": "continue",
    "surveyAfterSeconds": 86400,
}
_LADDER: Final = {"name": "Two steps", "rungs": [_RUNG]}
_VERSION: Final = {"id": _ID, "version": 1, "createdAt": _AT, "createdBy": {"kind": "staff", "id": None, "name": "Adam"}}
_OF_REPORTER: Final = {
    "id": _TICKET_ID,
    "number": 42,
    "merchantId": "1",
    "organizerId": None,
    "subject": "The till does not open",
    "description": "Since this morning.",
    "status": "open",
    "priority": "high",
    "category": "general",
    "channel": "api",
    "tags": ["vip"],
    "customFields": {"shop": "Main Street"},
    "reporter": {"id": _ID, "name": "Rita", "email": "rita@customer.example"},
    "createdAt": _AT,
    "updatedAt": _AT,
    "firstRespondedAt": None,
    "resolvedAt": None,
    "closedAt": None,
    "mergedIntoId": None,
    "followUpOfId": None,
    "version": 3,
}
_OF_STAFF: Final = {
    "assigneeId": _AGENT_ID,
    "teamId": _TEAM_ID,
    "escalationLevel": 0,
    "nextDueAt": _LATER,
    "slaStatus": "running",
    "snoozedUntil": None,
    "deletedAt": None,
}
_IN_LIST: Final = {name: value for name, value in _OF_REPORTER.items() if name != "description"}
_TRIED: Final = {"priority": "high", "category": "general", "organizerId": None, "tags": ["vip"], "createdAt": _AT}
_TRY: Final = {"ticketSample": _TRIED}

_REQUESTS: Final[dict[str, Any]] = {
    "OpenTicket": {"subject": "The till does not open", "description": "Since this morning.", "priority": "high", "category": "general"},
    "EditTicket": {"priority": "urgent", "tags": ["vip"]},
    "Reply": {"body": "We are on our way.", "status": "pending"},
    "Note": {"body": "They called twice."},
    "Because": {"reason": "The part has arrived."},
    "Assign": {"auto": True},
    "Escalate": {"reason": "The shop is closed because of it.", "level": 2},
    "Acknowledge": {"level": 1},
    "Snooze": {"until": "2026-03-03T08:00:00Z"},
    "Merge": {"intoTicketId": _ID},
    "SetAvailability": {"state": "away", "until": _LATER},
    "CreateMerchant": {"name": "Acme", "slug": "acme", "timeZone": "Europe/Berlin"},
    "TeamBody": {"name": "Tills"},
    "CategoryBody": {"name": "tills", "teamId": _TEAM_ID},
    "EditCategory": {"isDefault": True},
    "AgentBody": _PERSON,
    "EditAgent": {"capacity": 10},
    "HandOver": {"tickets": "at_risk"},
    "EditMerchant": {"surveyAfterSeconds": 86400},
    "AnswerSurvey": {"score": 5, "comment": "Quick and kind."},
    "CalendarBody": _CALENDAR,
    "PolicyBody": _POLICY,
    "PolicyOrderBody": {"ids": [_ID]},
    "LadderBody": _LADDER,
    "PreviewCalendar": {"calendar": _CALENDAR, "start": _AT, "seconds": 28800},
    "Proposal_CalendarBody_": _TRY,
    "Proposal_PolicyBody_": _TRY,
    "Proposal_LadderBody_": _TRY,
    "ProposedPolicy": {"definition": _POLICY} | _TRY,
    "CheckSla": {"ticketId": _TICKET_ID},
    "Replay": {"filter": {"status": "dead", "kind": "ticket_assigned", "since": _AT}},
}

_RESPONSES: Final[dict[str, Any]] = {
    "TicketResponse": _OF_REPORTER | _OF_STAFF,
    "ReporterTicketResponse": _OF_REPORTER,
    "TicketInList": _IN_LIST | _OF_STAFF,
    "ReporterTicketInList": _IN_LIST,
    "HealthResponse": {"status": "ok"},
    "ReadinessResponse": {"status": "ok", "database": "ok", "keys": "ok", "temporal": "ok"},
    "CountResponse": {"count": 17, "capped": False},
    "CommentResponse": {"id": _ID, "ticketId": _TICKET_ID, "kind": "reply", "author": _ANA, "body": "We are on our way.", "createdAt": _AT},
    "EventResponse": {
        "id": _ID,
        "sequence": 2,
        "at": _AT,
        "actor": _ANA,
        "kind": "ticket.held",
        "changes": {"status": ["open", "on_hold"]},
    },
    "EscalationResponse": {
        "id": _ID,
        "level": 1,
        "metric": "resolution",
        "cause": "deadline",
        "reason": None,
        "dueAt": _LATER,
        "takenAt": _LATER,
        "fromAgentId": _AGENT_ID,
        "toAgentId": _AGENT_ID,
        "outcome": "notified",
        "acknowledgedBy": None,
        "acknowledgedAt": None,
    },
    "CycleResponse": {
        "metric": "resolution",
        "cycle": 1,
        "status": "running",
        "policyId": _ID,
        "policyVersion": 1,
        "targetSeconds": 28800,
        "elapsedSeconds": 600,
        "remainingSeconds": 28200,
        "startedAt": _AT,
        "dueAt": _LATER,
        "pausedAt": None,
        "breachedAt": None,
        "stoppedAt": None,
    },
    "SegmentResponse": {
        "metric": "resolution",
        "cycle": 1,
        "state": "running",
        "kind": "started",
        "reason": "opened",
        "actor": {"kind": "reporter", "id": _ID},
        "from": _AT,
        "to": None,
        "seconds": 600.0,
        "targetSeconds": 28800,
        "dueAt": _LATER,
        "policyId": _ID,
        "policyVersion": 1,
        "calendarVersion": 1,
    },
    "ContextResponse": {"earlierTickets": [], "hasMore": False},
    "NotificationResponse": {
        "id": _ID,
        "ticketId": _TICKET_ID,
        "kind": "ticket_assigned",
        "channel": "email",
        "recipient": {"id": _AGENT_ID, "name": "Ana", "email": "ana@desk.example"},
        "status": "sent",
        "createdAt": _AT,
        "settledAt": _AT,
        "attempts": [{"attempt": 1, "startedAt": _AT, "finishedAt": _AT, "outcome": "sent", "code": 250, "detail": None}],
    },
    "MeResponse": {
        "sub": "ana",
        "name": "Ana",
        "email": "ana@desk.example",
        "isEmailVerified": True,
        "roles": ["agent"],
        "merchantId": "1",
        "organizerIds": None,
        "agentId": _AGENT_ID,
        "permissions": [{"permission": "read_tickets", "scope": "any"}],
    },
    "AgentResponse": {
        **_PERSON,
        "id": _AGENT_ID,
        "capacity": 10,
        "skills": ["french"],
        "shiftCalendarId": _CALENDAR_ID,
        "availability": "away",
        "awayUntil": _LATER,
        "retiredAt": None,
        "version": 2,
    },
    "TeamResponse": {"id": _TEAM_ID, "name": "Tills", "retiredAt": None, "version": 1},
    "CategoryResponse": {"name": "tills", "teamId": _TEAM_ID, "skills": ["french"], "isDefault": False, "retiredAt": None, "version": 1},
    "ReporterCategoryResponse": {"name": "tills", "isDefault": False},
    "AuditEntryResponse": {
        "id": _ID,
        "at": _AT,
        "actor": {"kind": "staff", "id": None, "name": "Adam"},
        "kind": "agent.edited",
        "subjectId": _AGENT_ID,
        "changes": {"capacity": [20, 10]},
        "requestId": "till-7",
    },
    "MerchantResponse": {
        "id": "1",
        "slug": "acme",
        "name": "Acme",
        "surveyAfterSeconds": 86400,
        "autoCloseAfterSeconds": 604800,
        "reopenWithinSeconds": 1209600,
        "reporterPriorityLimit": "high",
        "timeZone": "Europe/Berlin",
        "locale": "en",
        "createdAt": _AT,
        "closedAt": None,
        "version": 1,
    },
    "SurveyResponse": {"ticketNumber": 42, "merchantName": "Acme", "state": "open", "expiresAt": _LATER, "score": None, "comment": None},
    "CalendarResponse": _VERSION | _CALENDAR,
    "PolicyResponse": _VERSION | _POLICY,
    "PolicyOrderResponse": {"data": [{"id": _ID, "name": "VIP", "position": 10}]},
    "LadderResponse": _VERSION | _LADDER,
    "DueResponse": {"dueAt": _LATER},
    "ForecastResponse": {"createdAt": _AT, "policy": None, "wonBy": None, "reason": None, "promised": []},
    "JobResponse": {
        "id": _ID,
        "kind": "sla_check",
        "status": "running",
        "request": {"ticketId": _TICKET_ID},
        "total": 1,
        "done": 0,
        "changed": 0,
        "breached": 0,
        "failed": 0,
        "result": {},
        "createdAt": _AT,
        "updatedAt": _AT,
        "finishedAt": None,
    },
    "SlaReportResponse": {
        "from": "2026-02-01T00:00:00Z",
        "to": _AT,
        "groupBy": ["metric"],
        "data": [{"metric": "resolution", "met": 9, "breached": 1, "metRatio": 0.9, "medianSeconds": 7200, "p90Seconds": 21600}],
    },
    "QueuesResponse": {
        "data": [
            {
                "teamId": _TEAM_ID,
                "name": "Support",
                "open": 12,
                "unassigned": 2,
                "breached": 1,
                "imminent": 3,
                "oldestWaitingAt": _AT,
                "agentsAvailable": 2,
                "capacityLeft": 8,
            }
        ]
    },
}


def example_of(shape: str) -> Any:
    """An example of what the document calls ``shape``; a page has one row. None if there is none."""
    row = shape.removeprefix("Page_").removesuffix("_")
    if row != shape and row in _RESPONSES:
        return {"data": [_RESPONSES[row]], "page": {"hasMore": False, "next": None}}
    return _REQUESTS.get(shape, _RESPONSES.get(shape))
