"""What the engine has to hear, written in the transaction of the change that it is about.

One row for each workflow: a newer message takes the place of one that still waits. A relay (see activities/relay.py) delivers it at least once.
"""

from pydantic import BaseModel

from models.messages.delivery import DeliveryRef
from models.messages.ticket import TicketFacts
from models.operations.change import Change
from models.tables.outgoing import Outbox, Topic


def of_ticket(facts: TicketFacts, change: Change) -> Outbox:
    return _row(facts.merchant_id, facts.workflow_id, Topic.TICKET, facts.version, facts, change)


def of_delivery(delivery: DeliveryRef, change: Change) -> Outbox:
    return _row(delivery.merchant_id, delivery.workflow_id, Topic.DELIVERY, 1, delivery, change)


def _row(merchant_id: int, workflow_id: str, topic: Topic, version: int, message: BaseModel, change: Change) -> Outbox:  # noqa: PLR0913 - one a column
    return Outbox(
        merchant_id=merchant_id,
        workflow_id=workflow_id,
        topic=topic,
        version=version,
        payload=message.model_dump(mode="json"),
        written_at=change.at,
        request_id=change.request_id,
    )
