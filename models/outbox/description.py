"""What the Temporal UI shows of a workflow before any worker has run it, and after its end: ids, slugs, numbers, categories only.

Temporal takes 400 bytes of summary and 20,000 of details; both are kept far below.
"""

from collections.abc import Sequence
from typing import Final

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from models.jobs.messages import JobFacts, called
from models.notifications.messages import DeliveryRef
from models.platform.addresses import BASE
from models.tickets.messages import TicketFacts
from models.tickets.search_attributes import MERCHANT, MERCHANT_SLUG

NAMED: Final = 10
"""So many notifications of a batch are named."""
_SUMMARY_BYTES: Final = 200


def summary_of_ticket(facts: TicketFacts) -> str:
    """``demo #7 · demo-fast``."""
    named = f"{_merchant(facts.merchant_slug, facts.merchant_id)} #{facts.number}"
    return shortened(f"{named} · {facts.category}" if facts.category else named)


def details_of_ticket(facts: TicketFacts, public_url: str) -> str:
    """Markdown: where to read on. The console is for a browser, the other addresses need a token."""
    api = f"{public_url}{BASE}/tickets/{facts.ticket_id}"
    return "\n".join(
        [
            f"Ticket #{facts.number} of merchant {_merchant(facts.merchant_slug, facts.merchant_id)} ({facts.merchant_id})",
            "",  # without it the UI makes no list of what follows
            f"- [console]({public_url}/console/tickets/{facts.ticket_id})",
            f"- [ticket]({api}), [events]({api}/events), [clocks]({api}/sla), [notifications]({api}/notifications)",
        ]
    )


def summary_of_delivery(batch: Sequence[DeliveryRef]) -> str:
    """``demo · #7 ticket_assigned, #8 sla_warning``."""
    merchant = _merchant(batch[0].merchant_slug, batch[0].merchant_id)
    return shortened(f"{merchant} · {', '.join(name_of(each) for each in batch)}")


def details_of_delivery(batch: Sequence[DeliveryRef], public_url: str) -> str:
    tickets = {each.ticket_id for each in batch[:NAMED] if each.ticket_id}
    more = [f"- and {len(batch) - NAMED} more notifications"] if len(batch) > NAMED else []
    return "\n".join(
        [
            *(f"- {name_of(each)}: notification {each.notification_id}, request {each.request_id or 'none'}" for each in batch[:NAMED]),
            *more,
            *(f"- [notifications of ticket {id_}]({public_url}{BASE}/tickets/{id_}/notifications)" for id_ in sorted(tickets)),
        ]
    )


def name_of(notification: DeliveryRef) -> str:
    """``#7 ticket_assigned``; of a replay the number is not known, then it is the ticket's id."""
    number = notification.ticket_number
    ticket = f"#{number}" if number is not None else f"ticket {notification.ticket_id}"
    return f"{ticket} {notification.kind}" if notification.ticket_id else f"notification {notification.notification_id}"


def summary_of_job(facts: JobFacts) -> str:
    return shortened(f"merchant {facts.merchant_id} · {facts.kind}, {facts.total} {called(facts.kind)}s")


def details_of_job(facts: JobFacts, public_url: str) -> str:
    return f"[job]({public_url}{BASE}/jobs/{facts.job_id}), request {facts.request_id or 'none'}"


def attributes_of_merchant(merchant_id: int, slug: str) -> TypedSearchAttributes:
    """By which deliveries and jobs are found. An empty ``slug`` is left out."""
    named = [SearchAttributePair(MERCHANT_SLUG, slug)] if slug else []
    return TypedSearchAttributes([SearchAttributePair(MERCHANT, str(merchant_id)), *named])


def shortened(text: str) -> str:
    """At most 200 bytes as UTF-8."""
    encoded = text.encode()
    if len(encoded) <= _SUMMARY_BYTES:
        return text
    return encoded[: _SUMMARY_BYTES - 3].decode(errors="ignore") + "…"


def _merchant(slug: str, merchant_id: int) -> str:
    return slug or f"merchant {merchant_id}"
