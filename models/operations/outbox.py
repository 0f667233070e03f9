"""What the engine has to hear, written in the transaction of the change that it is about.

One row for each workflow: a newer message takes the place of one that still waits. A relay (see activities/relay.py) delivers it at least once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from models.messages.delivery import DeliveryRef
from models.messages.ticket import TicketFacts
from models.operations.change import Change
from models.tables.outgoing import Outbox, Topic
from models.tables.session import TenantSession

Parcel = dict[str, Any]


def of_ticket(facts: TicketFacts, change: Change) -> Parcel:
    return _parcel(facts.merchant_id, facts.workflow_id, Topic.TICKET, facts.version, facts.model_dump(mode="json"), change)


def of_delivery(delivery: DeliveryRef, change: Change) -> Parcel:
    return _parcel(delivery.merchant_id, delivery.workflow_id, Topic.DELIVERY, 1, delivery.model_dump(mode="json"), change)


async def post(session: TenantSession, parcels: Sequence[Parcel]) -> None:
    if not parcels:
        return
    written = insert(Outbox).values(list(parcels))
    newest = {name: written.excluded[name] for name in ("version", "payload", "written_at", "request_id")} | {"leased_until": None}
    await session.execute(written.on_conflict_do_update(index_elements=["merchant_id", "workflow_id"], set_=newest))


def _parcel(merchant_id: int, workflow_id: str, topic: Topic, version: int, payload: dict[str, Any], change: Change) -> Parcel:
    at: datetime = change.at
    return {
        "merchant_id": merchant_id,
        "workflow_id": workflow_id,
        "topic": topic,
        "version": version,
        "payload": payload,
        "written_at": at,
        "request_id": change.request_id,
    }
