"""What people are notified of: each kind is named like its e-mail's template."""

from enum import StrEnum


class NotificationKind(StrEnum):
    TICKET_RECEIVED = "ticket_received"
    TICKET_ASSIGNED = "ticket_assigned"
    TICKET_UNASSIGNED = "ticket_unassigned"
    REPLY_TO_REPORTER = "reply_to_reporter"
    REPLY_TO_AGENT = "reply_to_agent"
    NOTE_ADDED = "note_added"
    TICKET_RESOLVED = "ticket_resolved"
    TICKET_REOPENED = "ticket_reopened"
    TICKET_WOKEN = "ticket_woken"
    SLA_WARNING = "sla_warning"
    SLA_BREACHED = "sla_breached"
    ESCALATED = "escalated"
    ESCALATION_NO_TARGET = "escalation_no_target"
    SURVEY = "survey"
    PORTAL_LINK = "portal_link"
    DIGEST = "digest"  # lists what was held back by the hourly limit; about no ticket alone
