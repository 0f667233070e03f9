"""What an operator can search workflows by. Values are never encrypted: ids, numbers and states only."""

from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from models.tickets.messages import TicketFacts

MERCHANT = SearchAttributeKey.for_keyword("HelpdeskMerchantId")
NUMBER = SearchAttributeKey.for_int("HelpdeskTicketNumber")
STATUS = SearchAttributeKey.for_keyword("HelpdeskStatus")
PRIORITY = SearchAttributeKey.for_keyword("HelpdeskPriority")
LEVEL = SearchAttributeKey.for_int("HelpdeskEscalationLevel")
SLA = SearchAttributeKey.for_keyword("HelpdeskSlaStatus")

TYPES = {
    MERCHANT.name: "Keyword",
    NUMBER.name: "Int",
    STATUS.name: "Keyword",
    PRIORITY.name: "Keyword",
    LEVEL.name: "Int",
    SLA.name: "Keyword",
}


def describe(facts: TicketFacts) -> TypedSearchAttributes:
    """All of a ticket's, when its workflow begins."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(MERCHANT, str(facts.merchant_id)),
            SearchAttributePair(NUMBER, facts.number),
            *changing(facts),
        ],
    )


def changing(facts: TicketFacts) -> list[SearchAttributePair[Any]]:
    """Those that the workflow keeps up to date."""
    return [
        SearchAttributePair(STATUS, str(facts.status)),
        SearchAttributePair(PRIORITY, str(facts.priority)),
        SearchAttributePair(LEVEL, facts.escalation_level),
        SearchAttributePair(SLA, str(facts.sla_status or "none")),
    ]
