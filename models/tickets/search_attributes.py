"""What an operator can search workflows by. Values are never encrypted: ids, slugs, numbers, states and instants only.

:data:`TYPES` is the one list: what registers them reads it. A namespace on SQL has room for ten of type Keyword and three of each other.
"""

from collections.abc import Mapping
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from models.tickets.messages import TicketFacts

MERCHANT = SearchAttributeKey.for_keyword("HelpdeskMerchantId")
MERCHANT_SLUG = SearchAttributeKey.for_keyword("HelpdeskMerchant")
NUMBER = SearchAttributeKey.for_int("HelpdeskTicketNumber")
STATUS = SearchAttributeKey.for_keyword("HelpdeskStatus")
PRIORITY = SearchAttributeKey.for_keyword("HelpdeskPriority")
LEVEL = SearchAttributeKey.for_int("HelpdeskEscalationLevel")
SLA = SearchAttributeKey.for_keyword("HelpdeskSlaStatus")
AGENT = SearchAttributeKey.for_keyword("HelpdeskAgentId")
TEAM = SearchAttributeKey.for_keyword("HelpdeskTeamId")
NEXT_DUE = SearchAttributeKey.for_datetime("HelpdeskNextDue")

TYPES = {
    MERCHANT.name: "Keyword",
    MERCHANT_SLUG.name: "Keyword",
    NUMBER.name: "Int",
    STATUS.name: "Keyword",
    PRIORITY.name: "Keyword",
    LEVEL.name: "Int",
    SLA.name: "Keyword",
    AGENT.name: "Keyword",
    TEAM.name: "Keyword",
    NEXT_DUE.name: "Datetime",
}
Values = Mapping[SearchAttributeKey[Any], Any]
"""By key; None: it has no value."""


def describe(facts: TicketFacts) -> TypedSearchAttributes:
    """All of a ticket's, when its workflow begins."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(MERCHANT, str(facts.merchant_id)),
            *([SearchAttributePair(MERCHANT_SLUG, facts.merchant_slug)] if facts.merchant_slug else []),
            SearchAttributePair(NUMBER, facts.number),
            *(SearchAttributePair(key, value) for key, value in changing(facts).items() if value is not None),
        ],
    )


def changing(facts: TicketFacts) -> Values:
    """Those that the workflow keeps up to date."""
    return {
        STATUS: str(facts.status),
        PRIORITY: str(facts.priority),
        LEVEL: facts.escalation_level,
        SLA: str(facts.sla_status or "none"),
        AGENT: str(facts.agent_id or "none"),
        TEAM: str(facts.team_id or "none"),
        NEXT_DUE: facts.next_due_at,
    }


def updates(before: Values, now: Values) -> list[SearchAttributeUpdate[Any]]:
    """What has to be told to Temporal."""
    return [key.value_unset() if value is None else key.value_set(value) for key, value in now.items() if before[key] != value]
