"""One notification to one recipient on one channel, on its way out."""

from datetime import datetime
from enum import StrEnum

from models.messages.message import Message

WORKFLOW = "Delivery"
TASK_QUEUE = "notifications"
DELIVER = "notification.deliver"
BURY = "notification.bury"
MAXIMUM_TRIES = 5


class NotificationStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    UNKNOWN = "unknown"  # the server may or may not have taken it: the connection was lost after the final dot
    DEAD = "dead"


class DeliveryRef(Message):
    """``round`` counts the replays of a dead letter: each is a workflow of its own."""

    merchant_id: int
    notification_id: int
    round: int = 0

    @property
    def workflow_id(self) -> str:
        return f"delivery-{self.notification_id}-{self.round}"


class Delivery(DeliveryRef):
    """``retry_seconds`` is the pause before the second try; each further one is four times as long."""

    retry_seconds: float


class Burial(DeliveryRef):
    """All tries failed: the notification becomes a dead letter as of ``at``."""

    at: datetime
